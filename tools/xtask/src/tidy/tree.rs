//! The files that the rules look at, read once.

use std::io;
use std::path::{Path, PathBuf};

use super::Finding;
use super::rust::{self, Token};

/// A file with its path from the root, written with `/`.
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
    /// What a Rust file consists of; nothing where it can't be read as Rust, and for other files.
    pub(super) tokens: Option<Vec<Token>>,
}

impl File {
    pub(super) fn is_rust(&self) -> bool {
        has_extension(&self.path, "rs")
    }

    pub(super) fn is_sql(&self) -> bool {
        has_extension(&self.path, "sql")
    }

    pub(super) fn tokens(&self) -> &[Token] {
        self.tokens.as_deref().unwrap_or_default()
    }
}

/// All `.rs`, `.sql` and `.md` files of a work tree.
pub(super) struct Tree {
    root: PathBuf,
    files: Vec<File>,
}

impl Tree {
    /// Reads the tree; hidden folders and cargo's target folders are no part of it.
    pub(super) fn load(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let kind = entry.file_type()?;
                if kind.is_dir() && !name.starts_with('.') && !is_cache(&entry.path()) {
                    folders.push(entry.path());
                } else if kind.is_file()
                    && let Some(file) = read(root, &entry.path())?
                {
                    files.push(file);
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { root: root.to_path_buf(), files })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn files(&self) -> &[File] {
        &self.files
    }

    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Rust files that no rule could look into.
    pub(super) fn unreadable(&self) -> Vec<Finding> {
        self.files
            .iter()
            .filter(|file| file.is_rust() && file.tokens.is_none())
            .map(|file| Finding {
                file: file.path.clone(),
                line: None,
                reason: "this can't be read as Rust".to_owned(),
                remedy: "mend it, so that the rules can look into it",
            })
            .collect()
    }
}

fn is_cache(folder: &Path) -> bool {
    folder.join("CACHEDIR.TAG").exists()
}

fn read(root: &Path, path: &Path) -> io::Result<Option<File>> {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let path_text = relative.to_string_lossy().replace('\\', "/");
    if !["rs", "sql", "md"].iter().any(|extension| has_extension(&path_text, extension)) {
        return Ok(None);
    }
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // A file that went away since the folder was listed has nothing to be found in it.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let tokens = if has_extension(&path_text, "rs") { rust::tokens(&text) } else { None };
    Ok(Some(File { path: path_text, text, tokens }))
}

fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// A tree of its own for a test, with the given files; it goes away with the first value.
#[cfg(test)]
pub(super) fn planted(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a file stands in a folder"))
            .expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let tree = Tree::load(folder.path()).expect("a readable tree");
    (folder, tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_folders_and_build_output_are_left_out() {
        let (_folder, tree) = planted(&[
            ("core/src/lib.rs", ""),
            (".hidden/lib.rs", ""),
            ("target/CACHEDIR.TAG", ""),
            ("target/debug/build.rs", ""),
            ("core/picture.png", ""),
        ]);
        let paths: Vec<&str> = tree.files().iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["core/src/lib.rs"]);
    }
}
