"""Take the README's screenshot: the overview figure on the built page of chapter 1."""

from __future__ import annotations

import sys
from pathlib import Path

from browser import launched, settle

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "book" / "_build" / "html" / "chapters" / "01-generation-process.html"
TARGET = ROOT / ".github" / "screenshot.png"
LIMIT = 400_000  # bytes


def main() -> int:
    """Write the picture; the exit status."""
    if not PAGE.exists():
        print("no pages yet: run `make book` first", file=sys.stderr)
        return 1
    with launched() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
        page.goto(PAGE.as_uri())
        settle(page)
        page.evaluate("""() => {
            const box = document.getElementById('fig-overview').getBoundingClientRect();
            window.scrollTo(0, window.scrollY + box.top - (window.innerHeight - box.height) / 2);
        }""")
        page.wait_for_timeout(500)
        TARGET.parent.mkdir(exist_ok=True)
        picture = page.screenshot()
    if len(picture) > LIMIT:
        print(f"the screenshot has {len(picture)} bytes, more than {LIMIT}", file=sys.stderr)
        return 1
    TARGET.write_bytes(picture)
    print(f"{TARGET.relative_to(ROOT)}: {len(picture) // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
