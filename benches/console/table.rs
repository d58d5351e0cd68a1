//! Figures over runs, as Markdown.

use std::fmt;

/// One line: what was measured, and a value for each run.
#[derive(Debug)]
struct Row {
    what: String,
    unit: &'static str,
    goal: Option<f64>,
    values: Vec<f64>,
}

/// A table of figures.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
    remarks: Vec<String>,
}

impl Table {
    /// Adds the value of a run; rows come in the order in which they were first added.
    pub fn add(&mut self, what: &str, unit: &'static str, goal: Option<f64>, value: f64) {
        match self.rows.iter_mut().find(|row| row.what == what) {
            Some(row) => row.values.push(value),
            None => {
                self.rows.push(Row { what: what.to_owned(), unit, goal, values: vec![value] });
            }
        }
    }

    /// Says something below the table.
    pub fn remark(&mut self, text: String) {
        self.remarks.push(text);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.rows.is_empty() {
            writeln!(f, "| measure | unit | goal | median | min | max | runs |")?;
            writeln!(f, "|---|---|---|---|---|---|---|")?;
        }
        for row in &self.rows {
            let goal = row.goal.map_or("–".to_owned(), shown);
            let mut values = row.values.clone();
            values.sort_by(f64::total_cmp);
            let (min, max) = (values[0], values[values.len() - 1]);
            let (median, runs) = (quantile(&values, 0.5), values.len());
            writeln!(
                f,
                "| {} | {} | {goal} | {} | {} | {} | {runs} |",
                row.what,
                row.unit,
                shown(median),
                shown(min),
                shown(max)
            )?;
        }
        for remark in &self.remarks {
            writeln!(f, "\n{remark}")?;
        }
        Ok(())
    }
}

/// The value at a share of sorted values, by nearest rank.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted[rank.min(sorted.len()) - 1]
}

/// Three significant digits, more where the number is large.
pub fn shown(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 || v == 0.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
