//! Wrappers around ports: every call is passed on to `inner`, but for those that are written out.

/// Implements a port for a wrapper: the calls that are passed on, then those that are not.
macro_rules! port {
    ($wrapper:ident: $port:ident { $(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)* } $($own:tt)*) => {
        #[async_trait]
        impl $port for $wrapper {
            $(async fn $name(&self, $($argument: $type),*) -> PortResult<$answer> {
                self.inner.$name($($argument),*).await
            })*
            $($own)*
        }
    };
}

pub(crate) use port;
