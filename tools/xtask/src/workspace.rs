//! Where the workspace is and what it is made of, as cargo itself sees it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cargo;

/// A package of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its `Cargo.toml`, relative to the root.
    pub(crate) manifest: String,
    pub(crate) features: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// What a package depends on.
pub(crate) struct Dependency {
    /// The name of the package, also where the manifest renames it.
    pub(crate) name: String,
    /// Only for tests, examples and benchmarks.
    pub(crate) dev: bool,
}

/// The root of the workspace: the nearest folder upward that has a `Cargo.lock`.
///
/// Found from the working directory and not from the place of compilation, so that a checkout can be
/// moved without a rebuild.
pub(crate) fn root() -> Result<PathBuf, String> {
    let here = std::env::current_dir().map_err(|e| format!("no working directory: {e}"))?;
    here.ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file())
        .map(Path::to_path_buf)
        .ok_or_else(|| format!("no Cargo.lock in {} or above it", here.display()))
}

/// The packages of the workspace at `root`, without those of others.
pub(crate) fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let output = cargo::command(root)
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .output()
        .map_err(|e| format!("cargo metadata did not start: {e}"))?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        let first = told.lines().next().unwrap_or("no reason given");
        return Err(format!("cargo metadata ended with {}: {first}", output.status));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|e| format!("cargo metadata can't be read: {e}"))?;
    let top = text(&metadata, "workspace_root");
    Ok(list(&metadata, "packages").iter().map(|value| package(value, &top)).collect())
}

fn package(value: &Value, top: &str) -> Package {
    let manifest = text(value, "manifest_path").replace('\\', "/");
    let relative = manifest.strip_prefix(&top.replace('\\', "/")).unwrap_or(&manifest);
    Package {
        name: text(value, "name"),
        manifest: relative.trim_start_matches('/').to_owned(),
        features: value
            .get("features")
            .and_then(Value::as_object)
            .map(|features| features.keys().cloned().collect())
            .unwrap_or_default(),
        dependencies: list(value, "dependencies")
            .iter()
            .map(|d| Dependency { name: text(d, "name"), dev: text(d, "kind") == "dev" })
            .collect(),
    }
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}
