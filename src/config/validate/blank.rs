//! The places to fill in the texts of an action.

use super::{Cx, Path};
use crate::{
    config::{
        interpolate::is_filled,
        tree::{Data, Node},
    },
    domain::template::Template,
};

impl Cx<'_> {
    /// Every text within `path` that has places to fill, with where it stands. One that
    /// cannot be read is reported.
    pub fn templates(&mut self, path: &Path) -> Vec<(Path, Template)> {
        let mut texts = Vec::new();
        if let Some(node) = self.prepared.sound.at(path) {
            collect(node, path, &mut texts);
        }
        let mut out = Vec::new();
        for (path, text) in texts {
            match Template::parse(&text) {
                Ok(template) if template.blanks().next().is_some() => out.push((path, template)),
                Ok(_) => {}
                Err(error) => {
                    let cure = "a literal `${ask.` is `$${ask.`";
                    self.error(&path, error.to_string(), cure);
                }
            }
        }
        out
    }
}

fn collect(node: &Node, path: &Path, texts: &mut Vec<(Path, String)>) {
    match &node.data {
        Data::Text(text) if is_filled(path) => texts.push((path.clone(), text.clone())),
        Data::List(items) => {
            for (position, item) in items.iter().enumerate() {
                collect(item, &path.index(position), texts);
            }
        }
        Data::Table(table) => {
            for (key, entry) in &table.entries {
                collect(&entry.node, &path.key(key), texts);
            }
        }
        _ => {}
    }
}
