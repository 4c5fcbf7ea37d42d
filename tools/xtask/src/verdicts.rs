//! What a program concludes: JSON objects, each on a line of its own, the last line among them.

use serde_json::Value;

/// The objects among the lines of a program, and whether the last line is one.
#[derive(Default)]
pub(crate) struct Verdicts {
    objects: Vec<Value>,
    ended_with_one: bool,
}

impl Verdicts {
    pub(crate) fn see(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        let object = serde_json::from_str(line).ok().filter(Value::is_object);
        self.ended_with_one = object.is_some();
        self.objects.extend(object);
    }

    /// An exit code of zero does not say that a program came to its end.
    pub(crate) fn finish(self) -> Result<Vec<Value>, String> {
        if self.ended_with_one {
            return Ok(self.objects);
        }
        Err("it ended well, but its last line is no JSON object".to_owned())
    }
}

/// One field as a person reads it.
pub(crate) fn field(object: &Value, name: &str) -> String {
    match object.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => list.len().to_string(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(lines: &[&str]) -> Result<Vec<Value>, String> {
        let mut verdicts = Verdicts::default();
        lines.iter().for_each(|line| verdicts.see(line));
        verdicts.finish()
    }

    #[test]
    fn a_program_that_says_nothing_or_stops_on_the_way_has_no_verdict() {
        assert!(finished(&[]).is_err());
        assert!(finished(&["{\"bench\":\"append\"}", "and then"]).is_err());
        assert!(finished(&["[1]"]).is_err());
        assert!(finished(&["{\"bench\":"]).is_err());
    }

    #[test]
    fn every_object_is_kept_and_lines_between_them_are_not() {
        let said =
            finished(&["a table", "{\"bench\":\"append\"}", "x", "{\"bench\":\"read\"}", ""]);
        let said = said.expect("it ended with an object");
        let names: Vec<String> = said.iter().map(|object| field(object, "bench")).collect();
        assert_eq!(names, ["append", "read"]);
    }

    #[test]
    fn a_field_is_told_in_few_characters() {
        let object = serde_json::json!({ "seed": 7, "findings": [{}, {}], "limit": null });
        assert_eq!(field(&object, "seed"), "7");
        assert_eq!(field(&object, "findings"), "2");
        assert_eq!((field(&object, "limit"), field(&object, "none")), ("-".into(), "-".into()));
    }
}
