//! What an examination found, the worst first, while it still goes on.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::Sheet;
use crate::{
    app::{examination::Examination, state::State, view::DoctorView},
    domain::{
        examination::{Finding, Grade},
        time::{coarse_age, short_duration},
        verdict::{Quality, Verdict},
    },
    ui::{format, paint, theme::Theme},
};

const TITLE: &str = "Doctor: would it work now?";

/// Columns of the word of a finding, glyph included.
const WORD: usize = 10;

/// Draws the list, and below it what the row of the selected finding cannot hold.
pub fn draw(buffer: &mut Buffer, area: Rect, state: &State, view: &DoctorView, theme: Theme) {
    let inside = paint::framed(buffer, area, TITLE, theme.border(true), theme);
    let Some(found) = &state.world.examination else { return };
    let width = usize::from(inside.width);
    let mut top = vec![progress(state, found, width, theme)];
    let rows = found.rows(&view.filter);
    if !view.filter.is_empty() {
        let text = format!(
            "/{}: {} of {} findings; Esc shows all",
            view.filter,
            rows.len(),
            found.findings.len()
        );
        top.push(Line::styled(format::fit(&text, width, theme.glyphs().ellipsis), theme.warning()));
    }
    top.push(Line::default());
    let selected = found.position(view);
    let below = rows.get(selected).map(|row| detail(row, width, theme)).unwrap_or_default();
    let height = usize::from(inside.height);
    let top_rows = top.len().min(height);
    let below_rows = below.len().min(height.saturating_sub(top_rows) / 2);
    let list_rows = height - top_rows - below_rows;
    let at = |from: usize, rows: usize| Rect {
        y: inside.y + from as u16,
        height: rows as u16,
        ..inside
    };
    put(buffer, at(0, top_rows), &top);
    list(buffer, at(top_rows, list_rows), &rows, selected, theme);
    put(buffer, at(top_rows + list_rows, below_rows), &below);
}

/// `14 of 31 examined, 3 s  2 critical  4 warnings  1 unknown  20 ok`.
fn progress(state: &State, found: &Examination, width: usize, theme: Theme) -> Line<'static> {
    let now = state.world.now;
    let took = short_duration(std::time::Duration::from_secs(found.took(now).as_secs()));
    let (done, of) = (found.done, found.of);
    let text = match found.ended {
        Some(ended) => match coarse_age(now.since(ended)).as_str() {
            "now" => format!("{of} examined just now, in {took}"),
            age => format!("{of} examined {age} ago, in {took}"),
        },
        None if of == 0 => "begins".to_owned(),
        None => format!("{done} of {of} examined, {took}"),
    };
    let mut line = Line::from(Span::styled(text, theme.strong()));
    for (grade, word) in [
        (Grade::Critical, "critical"),
        (Grade::Warning, "warning"),
        (Grade::Unknown, "unknown"),
        (Grade::Ok, "ok"),
        (Grade::Skipped, "skipped"),
    ] {
        let count = found.count(grade);
        if count > 0 {
            let span = Span::styled(format!("  {count} {word}"), style(grade, theme));
            if line.width() + span.width() <= width {
                line.push_span(span);
            }
        }
    }
    line
}

fn style(grade: Grade, theme: Theme) -> Style {
    match grade {
        Grade::Skipped => theme.quiet(),
        other => theme.verdict(other.verdict(), Quality::Fresh),
    }
}

fn glyph(grade: Grade, theme: Theme) -> &'static str {
    match grade {
        Grade::Skipped => " ",
        other => theme.verdict_glyph(other.verdict()),
    }
}

/// Draws the rows so that the selected one is in sight. A thing is named once.
fn list(buffer: &mut Buffer, area: Rect, rows: &[&Finding], selected: usize, theme: Theme) {
    let first = (selected + 1).saturating_sub(usize::from(area.height).max(1));
    let width = usize::from(area.width);
    let names = if width >= 100 { 30 } else { 22 };
    if rows.is_empty() {
        paint::line(buffer, area, 0, &Line::styled("nothing found so far", theme.quiet()));
    }
    for (at, (row, finding)) in area.rows().zip(rows.iter().skip(first)).enumerate() {
        let before = rows.get((first + at).wrapping_sub(1)).filter(|_| at > 0);
        let repeated = before.is_some_and(|before| before.thing == finding.thing);
        let name = if repeated { String::new() } else { finding.thing.to_string() };
        let room = width.saturating_sub(2 + WORD + names + 1);
        let text = format::fit(&finding.what, room, theme.glyphs().ellipsis);
        let quiet = matches!(finding.verdict, Grade::Ok | Grade::Skipped);
        let line = Line::from(vec![
            Span::styled(
                format!("  {} {:<7} ", glyph(finding.verdict, theme), finding.verdict.word()),
                style(finding.verdict, theme),
            ),
            Span::styled(format!("{} ", paint::column(&name, names, theme)), theme.strong()),
            Span::styled(text, if quiet { theme.quiet() } else { theme.text() }),
        ]);
        paint::line(buffer, row, 0, &line);
        if first + at == selected {
            buffer.set_style(row, Style::reset());
            buffer.set_style(row, theme.selected());
            buffer.set_string(row.x, row.y, theme.glyphs().pointer, theme.selected());
        }
    }
}

/// All of a finding.
fn detail(finding: &Finding, width: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = vec![Line::default()];
    let word = format!("{:<8}", finding.verdict.word());
    let what = format!("{}: {}", finding.thing, finding.what);
    lines.extend(paint::wrapped(&word, &what, width, style(finding.verdict, theme), theme.text()));
    if let Some(cure) = &finding.cure {
        lines.extend(paint::wrapped("cure    ", cure, width, theme.key(), theme.text()));
    }
    lines
}

/// The selected finding alone, with everything else that was found about its thing.
pub fn sheet(state: &State, view: &DoctorView, width: usize, theme: Theme) -> Option<Sheet> {
    let scroll = view.detail?;
    let found = state.world.examination.as_ref()?;
    let selected = found.selected(view)?;
    let mut middle = detail(selected, width, theme);
    let took = format!("{} ms", selected.took.as_millis());
    middle.extend(paint::wrapped("took    ", &took, width, theme.quiet(), theme.text()));
    let others =
        found.findings.iter().filter(|other| other.thing == selected.thing && *other != selected);
    let others: Vec<Line<'static>> = others.flat_map(|other| detail(other, width, theme)).collect();
    if !others.is_empty() {
        middle.push(Line::default());
        middle.push(Line::styled(
            format!("What else was found of {}", selected.thing),
            theme.strong(),
        ));
        middle.extend(others);
    }
    let worst = selected.verdict.verdict();
    let frame = if worst == Verdict::Critical { theme.critical() } else { theme.border(true) };
    Some(Sheet {
        title: selected.thing.to_string(),
        frame,
        middle,
        bottom: vec![Line::styled("Esc goes back to the list", theme.quiet())],
        scroll,
        ..Sheet::default()
    })
}

fn put(buffer: &mut Buffer, area: Rect, lines: &[Line<'static>]) {
    for (row, line) in area.rows().zip(lines) {
        paint::line(buffer, row, 0, line);
    }
}
