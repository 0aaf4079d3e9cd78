"""Pictures of a report, for the docs.

    images.py FOLDER
"""
import os
import subprocess
import sys
import tempfile

import real
from browser import Browser


def main():
    folder = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as work, Browser() as browser:
        page_file = os.path.join(work, "report.html")
        trace = real.trace(work, workers=4, items=96, milliseconds=25)
        subprocess.run([os.path.join(real.ROOT, "dist/bin/mapengine"), "report", trace, "-o", page_file], check=True)
        for theme in ("light", "dark"):
            with browser.page(1100, 900, dark=theme == "dark") as page:
                page.open(page_file)
                # The message: down to the slowest items.
                height = page.evaluate("document.querySelector('.pair').getBoundingClientRect().bottom")
                page.screenshot(os.path.join(folder, f"report-{theme}.png"), clip={"x": 0, "y": 0, "width": 1100, "height": height + 12})
                assert page.complaints() == [], page.complaints()


if __name__ == "__main__":
    main()
