# syntax=docker/dockerfile:1
# One image for every role: `carrack serve`, `carrack coordinator`, `carrack worker`.

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
# The caches keep what earlier builds compiled; the binary is copied out of them in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked -p carrack-cli \
    && cp target/release/carrack /usr/local/bin/carrack

FROM debian:bookworm-slim
# Certificates for TLS to the services; curl for the health checks of docker-compose.yml.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --create-home carrack
COPY --from=build /usr/local/bin/carrack /usr/local/bin/carrack
USER carrack
WORKDIR /data
VOLUME /data
ENV CARRACK_LISTEN=0.0.0.0:3000
EXPOSE 3000
# The graceful drain begins at SIGTERM, which is what `docker stop` sends.
STOPSIGNAL SIGTERM
ENTRYPOINT ["carrack"]
CMD ["serve"]
