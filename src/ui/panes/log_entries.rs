//! The list of log entries: what comes at its end, or what was there when somebody moved in it.
//!
//! ```text
//!  PAUSED, 123 new: G follows   312 lines dropped   errors only   12/s
//!    14:32:05  content  info   request.completed  status=200 path=/api/feed
//!  ▸ 14:32:07  content  error  database is gone  trace_id=4f…
//!  ──────── mark 14:32:09 ────────
//! ```

use jiff::Timestamp;
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};
use unicode_width::UnicodeWidthStr;

use super::{
    context::{Context, split_top},
    log_broken::broken,
    severity_style,
};
use crate::{
    app::{
        logs::{self, Buffer as Lines, LogRow, What},
        view::Layer,
    },
    domain::{
        ids::SourceId,
        log::{Pattern, Severity},
        observation::LogEntry,
        text,
        value::grouped,
        verdict::Verdict,
    },
    ui::{
        format, paint,
        widgets::{fitted, put, window},
    },
};

/// Width from which times have milliseconds.
const PRECISE: u16 = 100;

/// Narrower than this, who has written an entry has no column.
const WITH_SERVICE: u16 = 64;

/// The widest that the column of who has written it becomes.
const WIDEST_SERVICE: usize = 16;

/// Draws what is known of the list, and as much of it as there is room for.
pub(super) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    context: &Context<'_>,
    rows: &[LogRow],
) -> Option<String> {
    let lines = logs::shown(context.world, context.screen);
    let listed = lines.listed();
    let mut head = vec![status(context, lines, listed.len(), rows)];
    let room = usize::from(area.height / 3).max(1);
    head.extend(unread(context, rows, area.width).into_iter().take(room));
    let (top, list) = split_top(area, head.len() as u16);
    put(buffer, top, &head, context.theme);
    if listed.is_empty() {
        nothing(buffer, list, context, lines, rows);
        return None;
    }
    let position = context.screen.logs.position(lines, &listed);
    let drawing = Drawing::new(context, lines, &listed, list, rows.len() > 1, position);
    let (shown, note) = drawing.visible();
    put(buffer, list, &shown, context.theme);
    match context.screen.logs.found {
        Some(found) => {
            Some(format!("match {} of {}", grouped(found.at as u64), grouped(found.of as u64)))
        }
        None => note,
    }
}

/// Whether it follows, what is missing in it, and what it is narrowed to.
fn status(context: &Context<'_>, lines: &Lines, listed: usize, rows: &[LogRow]) -> Line<'static> {
    let theme = context.theme;
    let mut spans = match logs::news(context.world, context.screen) {
        None if !rows.iter().any(LogRow::is_read) => {
            vec![Span::styled("not following: nothing is read".to_owned(), theme.unknown())]
        }
        None => vec![Span::styled("following".to_owned(), theme.strong())],
        Some(news) => {
            let more = if news.more { "+" } else { "" };
            let text = format!(" paused, {}{more} new ", grouped(news.lines));
            let how = Span::styled("  G follows".to_owned(), theme.quiet());
            vec![Span::styled(text, theme.band(Verdict::Warning)), how]
        }
    };
    let mut add = |text: String, style: Style| {
        spans.push(Span::raw("   "));
        spans.push(Span::styled(text, style));
    };
    // How late the worst of them is.
    if let Some(late) = rows.iter().max_by_key(|row| row.late).and_then(logs::late_words) {
        add(late, theme.warning());
    }
    let skipped: u64 = rows.iter().map(|row| row.skipped).sum();
    if skipped > 0 {
        add(logs::skipped_words(skipped), theme.warning());
    }
    let dropped: u64 = rows.iter().map(LogRow::dropped).sum();
    if dropped > 0 {
        add(logs::dropped_words(dropped), theme.warning());
    }
    let filter = lines.filter();
    if !filter.is_open() {
        let all = grouped(lines.lines().len() as u64);
        add(format!("{} of {all} listed", grouped(listed as u64)), theme.text());
    }
    let rates: Vec<f64> = rows.iter().filter_map(|row| row.rate).collect();
    if !rates.is_empty() {
        add(logs::rate_words(rates.iter().sum()), theme.quiet());
    }
    if lines.gone() > 0 {
        add(format!("the oldest {} are gone", grouped(lines.gone())), theme.quiet());
    }
    Line::from(spans)
}

/// The logs that are not read, and why.
fn unread(context: &Context<'_>, rows: &[LogRow], width: u16) -> Vec<Line<'static>> {
    let theme = context.theme;
    let trouble = rows.iter().filter(|row| row.verdict.is_trouble());
    trouble
        .map(|row| {
            let glyph = theme.verdict_glyph(row.verdict);
            let age = row
                .seen
                .map_or_else(String::new, |seen| format!(", last read {}", context.ago(seen)));
            let text = format!("{glyph} not read: {}: {}{age}", row.title, row.reason);
            context.fitted(&text, width, theme.unknown())
        })
        .collect()
}

/// Why there is nothing to list.
fn nothing(buffer: &mut Buffer, area: Rect, context: &Context<'_>, lines: &Lines, rows: &[LogRow]) {
    let theme = context.theme;
    let (all, filter) = (lines.lines().len(), lines.filter());
    let (text, style) = if all > 0 && !filter.is_open() {
        let what = match (filter.text.as_str(), filter.least) {
            ("", least) => format!("of {}: {}", grouped(all as u64), least.from_here()),
            (text, Severity::Other) => format!("of {} passes '{text}'", grouped(all as u64)),
            (text, least) => {
                format!("of {} passes '{text}', {}", grouped(all as u64), least.from_here())
            }
        };
        (format!("no entry {what}; Esc shows all"), theme.quiet())
    } else if rows.iter().any(|row| row.verdict.is_trouble()) {
        ("no entry is known".to_owned(), theme.unknown())
    } else {
        ("no entry has come yet".to_owned(), theme.quiet())
    };
    let lines = paint::wrapped("", &text, usize::from(area.width), style, style);
    put(buffer, area, &lines, theme);
}

/// Who has written an entry: its service, or the log where there are several.
pub(super) fn who(source: &SourceId, entry: &LogEntry, several: bool) -> String {
    match (&entry.service, several) {
        (Some(service), _) => service.to_string(),
        (None, true) => source.to_string(),
        (None, false) => String::new(),
    }
}

/// The fields of an entry behind its message.
pub(super) fn fields(entry: &LogEntry, style: Style) -> Vec<Span<'static>> {
    let one = |(name, value): &(std::sync::Arc<str>, String)| {
        Span::styled(format!("  {name}={value}"), style)
    };
    entry.fields.iter().map(one).collect()
}

/// The widths of the columns, and whatever else is the same for every line.
struct Drawing<'a> {
    context: &'a Context<'a>,
    lines: &'a Lines,
    listed: &'a [usize],
    area: Rect,
    several: bool,
    position: usize,
    times: usize,
    names: usize,
    pattern: Option<Pattern>,
}

impl<'a> Drawing<'a> {
    fn new(
        context: &'a Context<'a>,
        lines: &'a Lines,
        listed: &'a [usize],
        area: Rect,
        several: bool,
        position: usize,
    ) -> Self {
        let times = match (context.screen.logs.timeless, area.width >= PRECISE) {
            (true, _) => 0,
            (false, true) => 12,
            (false, false) => 8,
        };
        let typed = match context.screen.layers.last() {
            Some(Layer::Search(line)) => &line.text,
            _ => &context.screen.logs.search,
        };
        let pattern = Pattern::parse(typed).ok().flatten();
        let mut drawing =
            Self { context, lines, listed, area, several, position, times, names: 0, pattern };
        if area.width >= WITH_SERVICE {
            let height = usize::from(area.height);
            let near = position.saturating_sub(height)..(position + height).min(listed.len());
            let names = near.filter_map(|at| match drawing.what(at)? {
                What::Entry { source, entry } => Some(who(source, entry, several).width()),
                What::Mark => None,
            });
            let names = names.max().unwrap_or(0).min(WIDEST_SERVICE);
            drawing.names = names;
        }
        drawing
    }

    fn what(&self, at: usize) -> Option<&'a What> {
        self.lines.lines().get(*self.listed.get(at)?).map(|line| &line.what)
    }

    /// The part around the selected line, or the end while it follows; and what part that is.
    fn visible(&self) -> (Vec<Line<'static>>, Option<String>) {
        let (total, room) = (self.listed.len(), usize::from(self.area.height));
        if !self.context.screen.logs.is_paused() {
            let mut shown: Vec<Line<'static>> = Vec::new();
            let mut first = total;
            while first > 0 && shown.len() < room {
                first -= 1;
                let mut more = self.rows(first, false);
                more.append(&mut shown);
                shown = more;
            }
            let excess = shown.len().saturating_sub(room);
            shown.drain(..excess);
            return (shown, window::note(&(first..total), total));
        }
        let from = self.position.saturating_sub(room);
        let until = (self.position + room + 1).min(total);
        let near: Vec<Vec<Line<'static>>> =
            (from..until).map(|at| self.rows(at, at == self.position)).collect();
        let heights: Vec<usize> = near.iter().map(Vec::len).collect();
        let range = window::visible(&heights, self.position - from, room);
        let note = window::note(&(range.start + from..range.end + from), total);
        (near.into_iter().skip(range.start).take(range.len()).flatten().collect(), note)
    }

    /// One line of the list, in as many rows as it takes.
    fn rows(&self, at: usize, selected: bool) -> Vec<Line<'static>> {
        let Some(line) = self.listed.get(at).and_then(|at| self.lines.lines().get(*at)) else {
            return Vec::new();
        };
        match &line.what {
            What::Mark => vec![self.mark(line.order, selected)],
            What::Entry { source, entry } => self.entry(source, entry, selected),
        }
    }

    fn mark(&self, at: Timestamp, selected: bool) -> Line<'static> {
        let theme = self.context.theme;
        let time = format::milliseconds(at, self.context.screen.utc);
        let text = format!(" mark {} ", time.get(..8).unwrap_or_default());
        let rule = theme.glyphs().line;
        let left = rule.repeat(8);
        let used = 2 + left.width() + text.width();
        let right = rule.repeat(usize::from(self.area.width).saturating_sub(used));
        let style = if selected { theme.key().patch(theme.selected()) } else { theme.key() };
        let lead = if selected { format!("{} ", theme.glyphs().pointer) } else { "  ".to_owned() };
        Line::from(vec![Span::styled(format!("{lead}{left}{text}{right}"), style)])
    }

    fn entry(&self, source: &SourceId, entry: &LogEntry, selected: bool) -> Vec<Line<'static>> {
        let theme = self.context.theme;
        let quiet = theme.quiet();
        let mut lead: Vec<Span<'static>> = Vec::new();
        if self.times > 0 {
            let time = format::milliseconds(entry.at, self.context.screen.utc);
            let time = time.get(..self.times).unwrap_or_default();
            lead.push(Span::styled(format!("{time}  "), quiet));
        }
        if self.names > 0 {
            let who = paint::column(&who(source, entry, self.several), self.names, theme);
            lead.push(Span::styled(format!("{who}  "), quiet));
        }
        let severity = entry.severity();
        let level = paint::column(entry.level_word(), 5, theme);
        let style = match severity {
            Severity::Other => quiet,
            bad => severity_style(theme, bad),
        };
        lead.push(Span::styled(format!("{level}  "), style));
        let weight = if severity == Severity::Other { theme.text() } else { theme.strong() };
        let mut said = self.highlighted(&entry.message, weight);
        for span in fields(entry, quiet) {
            said.extend(self.highlighted(&span.content, quiet));
        }
        self.laid_out(lead, said, selected)
    }

    /// Foreign text made safe, with what is searched for made to stand out.
    fn highlighted(&self, foreign: &str, style: Style) -> Vec<Span<'static>> {
        let safe = text::safe(foreign);
        let Some(pattern) = &self.pattern else {
            return vec![Span::styled(safe.into_owned(), style)];
        };
        let found = self.context.theme.band(Verdict::Warning);
        let mut spans = Vec::new();
        let mut from = 0;
        for place in pattern.places(&safe) {
            spans.push(Span::styled(safe[from..place.start].to_owned(), style));
            spans.push(Span::styled(safe[place.clone()].to_owned(), found));
            from = place.end;
        }
        spans.push(Span::styled(safe[from..].to_owned(), style));
        spans
    }

    /// The columns and what is said, cut or broken at the edge.
    fn laid_out(
        &self,
        lead: Vec<Span<'static>>,
        said: Vec<Span<'static>>,
        selected: bool,
    ) -> Vec<Line<'static>> {
        let theme = self.context.theme;
        let width = usize::from(self.area.width).saturating_sub(2);
        let indent: usize = lead.iter().map(|span| span.content.width()).sum();
        // A column too narrow to read is worse than a line that begins at the edge.
        let indent = if width.saturating_sub(indent) < 20 { 4.min(width) } else { indent };
        let broken = if self.context.screen.logs.wrap {
            broken(lead.into_iter().chain(said), width, indent)
        } else {
            let spans: Vec<Span<'static>> = lead.into_iter().chain(said).collect();
            vec![fitted(&spans, width, theme).0]
        };
        let found = theme.band(Verdict::Warning);
        let mark = |span: Span<'static>| {
            if !selected || span.style == found {
                return span;
            }
            // Grey on a reversed row is hard to read.
            let base = if span.style == theme.quiet() { theme.text() } else { span.style };
            Span::styled(span.content, base.patch(theme.selected()))
        };
        let lines = broken.into_iter().enumerate().map(|(at, spans)| {
            let pointer = if selected && at == 0 { theme.glyphs().pointer } else { " " };
            let used: usize = spans.iter().map(|span| span.content.width()).sum();
            let blank =
                if selected { " ".repeat(width.saturating_sub(used)) } else { String::new() };
            let all = std::iter::once(Span::raw(format!("{pointer} ")))
                .chain(spans)
                .chain(std::iter::once(Span::raw(blank)));
            Line::from(all.map(mark).collect::<Vec<_>>())
        });
        lines.collect()
    }
}
