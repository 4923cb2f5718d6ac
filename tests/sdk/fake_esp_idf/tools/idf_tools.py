"""Stands in for ESP-IDF's idf_tools.py: answers `export --format key-value` as the real one does."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

if sys.argv[1:] != ["export", "--format", "key-value"] or os.environ.get("IDF_PATH") != str(ROOT):
    sys.exit(f"wrong call: {sys.argv[1:]} with IDF_PATH={os.environ.get('IDF_PATH')}")
if not (ROOT / "tools-installed").exists():
    sys.stderr.write("ERROR: tool xtensa-esp-elf has no installed versions. Please run 'install.sh'.\n")
    sys.exit(1)
print("WARNING: something that is no variable")
print(f"FAKE_TOOL={ROOT / 'tools-installed'}")
print(f"PATH={ROOT / 'tools'}:$PATH")
