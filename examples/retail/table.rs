//! Tables for a terminal.

/// A table with a title. The first column is text, set to the left; numbers are set to the right.
pub struct Table {
    title: String,
    rows: Vec<Vec<String>>,
    texts: usize,
}

impl Table {
    /// `texts` is how many columns, from the first on, are set to the left.
    pub fn new(title: impl Into<String>, texts: usize, head: &[&str]) -> Self {
        let head = head.iter().map(|&name| name.to_owned()).collect();
        Self { title: title.into(), rows: vec![head], texts }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![0; columns];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        writeln!(f, "{}", self.title)?;
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (place, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                line.push_str("  ");
                line.push_str(&if place < self.texts {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                });
            }
            writeln!(f, "{}", line.trim_end())?;
            if number == 0 {
                let rules: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
                writeln!(f, "  {}", rules.join("  "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_one_another() {
        let mut table = Table::new("Months", 1, &["month", "sold"]);
        table.row(["2010-12".to_owned(), "1.50".to_owned()]);
        table.row(["é".to_owned(), "12,345.00".to_owned()]);
        let text = "Months\n  month         sold\n  -------  ---------\n  2010-12       1.50\n  \
                    é        12,345.00\n";
        assert_eq!(table.to_string(), text);
    }
}
