"""Types into the site's search field, in a real browser and without a server, and looks at what it finds.

    check_search.py SITE

Prints a line per check as Tests/checks/lib.sh does, and ends with `N passed, N failed`.
"""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote_plus

# What is typed, and the page that has to be among the first of what is found.
WANTED = {
    "mape_map": "docs/site/reference/c-core.html#c.mape_map",
    "MAPE_E_AGAIN": "docs/site/reference/c-base.html#c.mape_status.MAPE_E_AGAIN",
    "mape::Pool": "docs/site/reference/cpp.html#_CPPv4N4mape4PoolE",
    "Pool.map": "docs/site/reference/python.html#mapengine.Pool.map",
    "mapengine top": "docs/command-line.html",
    "OpenTelemetry": "docs/python/metrics.html",
}
FIRST = 5


def browse(browser, url, done, profile):
    """The page as its scripts have made it, once it says that it is done. A browser that was stopped before that is asked again."""
    page = ""
    for _ in range(5):
        page = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}",
             "--virtual-time-budget=60000", "--dump-dom", url],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=120, check=False).stdout.decode()
        if done in page:
            break
    return page


def results(page):
    """The links that the search has listed, the best first."""
    listed = re.search(r'<ul[^>]*class="search"[^>]*>(.*?)</ul>', page, re.DOTALL)
    return re.findall(r'<li[^>]*><a href="([^"]+)"', listed[1]) if listed else []


def main():
    site = Path(sys.argv[1]).resolve()
    browser = shutil.which("chromium") or sys.exit("there is no chromium; run scripts/setup.sh browser")
    passed = failed = 0
    with tempfile.TemporaryDirectory() as profile:
        for typed, wanted in WANTED.items():
            url = f"{(site / 'search.html').as_uri()}?q={quote_plus(typed)}"
            found = results(browse(browser, url, "Search finished", profile))
            # The link carries what to highlight between the page and the anchor.
            if wanted in [re.sub(r"\?[^#]*", "", link) for link in found[:FIRST]]:
                passed += 1
                print(f"ok a search for {typed} finds {wanted}")
            else:
                failed += 1
                print(f"FAILED a search for {typed} finds {wanted}: the first are {found[:FIRST]}")
    print(f"{passed} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
