"""Loads a script of the checkout as a module, whatever its file is called."""

import importlib.machinery
import importlib.util
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load(path):
    """The script at `path` (relative to the checkout) as a module; its main part does not run."""
    name = pathlib.PurePosixPath(path).stem.replace("-", "_")
    loader = importlib.machinery.SourceFileLoader(name, str(ROOT / path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module
