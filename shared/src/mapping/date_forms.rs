//! Which of the old formats of dates reads every text of a column?

use jiff::tz::TimeZone;

use super::date::by_pattern;
use super::old_dates::{DAYS, EITHER_WAY, TIMES, WHOLE};

/// The formats that have read every text so far. Digits alone are no date here: they may be anything.
#[derive(Debug, Default)]
pub(crate) struct DateForms(Option<Vec<String>>);

impl DateForms {
    /// Looks at the next text.
    pub fn take(&mut self, text: &str) {
        let reads = |form: &String| by_pattern(form, text, &TimeZone::UTC).is_ok();
        match &mut self.0 {
            Some(forms) => forms.retain(reads),
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => self.fail(),
            None => self.0 = Some(all().filter(reads).collect()),
        }
    }

    /// There is a value that is no text.
    pub fn fail(&mut self) {
        self.0 = Some(Vec::new());
    }

    /// The format of all texts, where no other one reads them as other days.
    pub fn only(&self) -> Option<String> {
        let first = self.0.as_ref()?.first()?;
        self.either().is_none().then(|| first.clone())
    }

    /// Two formats that read all texts, as different days.
    pub fn either(&self) -> Option<[&str; 2]> {
        let forms = self.0.as_ref()?;
        let with_time = |day: &'static str| forms.iter().find(move |form| form.starts_with(day));
        let mut pairs =
            EITHER_WAY.iter().map(|[one, other]| Some([with_time(one)?.as_str(), with_time(other)?]));
        pairs.find_map(|pair| pair)
    }
}

fn all() -> impl Iterator<Item = String> {
    let days = DAYS.into_iter().chain(EITHER_WAY.into_iter().flatten());
    let days = days.flat_map(|day| TIMES.into_iter().map(move |time| format!("{day}{time}")));
    days.chain(WHOLE.into_iter().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_told_where_every_text_has_it() {
        for (texts, expected) in [
            (&["14.03.2009", "01.02.2010"][..], "%d.%m.%Y"),
            (&["03/04/2009", "14/03/2009"], "%d/%m/%Y"),
            (&["03/04/2009", "03/14/2009"], "%m/%d/%Y"),
            (&["03/04/2009", "01/02/2009"], "%d/%m/%Y or %m/%d/%Y"),
            (&["14/03/2009", "03/14/2009"], "none"),
            (&["2009-03-14 15:26", "2009-03-14 00:00"], "%Y-%m-%d %H:%M"),
            (&["14 May 2009"], "%d %B %Y"),
            (&["20090314"], "none"),
            (&["soon"], "none"),
            (&[], "none"),
        ] {
            let mut forms = DateForms::default();
            texts.iter().for_each(|text| forms.take(text));
            let told = forms.only().or_else(|| forms.either().map(|pair| pair.join(" or ")));
            assert_eq!(told.as_deref().unwrap_or("none"), expected, "{texts:?}");
        }
    }
}
