"""Print what to uninstall before edgekit-mcu is installed: `edgekit`, as this distribution was called before.

    python -I scripts/old_name.py CHECKOUT

Both bring the package `edgekit` and the command of that name. On the package index the old name belongs to
another project: what did not come from CHECKOUT is left alone, and the exit code is 7.
"""

import json
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

OLD = "edgekit"


def main(checkout: Path) -> int:
    """Return the exit code; a checkout's own old distribution is printed, another's is an error."""
    try:
        found = distribution(OLD)
    except PackageNotFoundError:
        return 0
    origin = json.loads(found.read_text("direct_url.json") or "{}").get("url", "")
    path = Path(url2pathname(urlsplit(origin).path)) if origin.startswith("file:") else None
    if path is not None and path.resolve() == checkout.resolve():
        print(OLD)
        return 0
    print(
        f"setup: {sys.prefix} has another distribution called '{OLD}' {found.version}, from "
        f"{origin or 'the package index'}; it has the same package and command as this one.\n"
        f"       Uninstall it ({sys.executable} -m pip uninstall {OLD}) and run this again.",
        file=sys.stderr,
    )
    return 7


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
