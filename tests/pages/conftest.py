"""A real browser, and real pages of both kinds of task."""

import shutil

import pytest

from scoring import run
from scoring.banks.files import load
from scoring.banks.fitting import OWN
from scoring.reports import files, recording
from starter_kit import tasks
from tests.conftest import make_pools, quiet_pools
from tests.submissions.test_submissions import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MODELS, OF_TEXT = 32, 8


@pytest.fixture(scope="session")
def browser():
    """Chromium, as it is installed here."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium; make browser installs it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # As root it refuses to start with its own sandbox; it reads only what the tests write.
        launched = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The folder of a report on digits, with its record."""
    store, folder = tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("pages")
    pools = make_pools(store, "processes", 2)
    # It saves training the models that nothing here is about.
    pools = pools.from_bank(load(OWN["digits"], pools.task), "a bank")
    result = run.run(ROOT / "submissions/weight_noise.py", pools, MODELS)
    record = recording.record_of(result)
    files.write(result, record, folder)
    return folder, record


@pytest.fixture(scope="session")
def made_of_text(tmp_path_factory):
    """The folder of a report on authors, with its record."""
    store, folder = tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("pages")
    pools = quiet_pools(store, tasks.load("authors"), "processes", 2)
    result = run.run(ROOT / "submissions/simnpo.py", pools, OF_TEXT)
    record = recording.record_of(result)
    files.write(result, record, folder)
    return folder, record


@pytest.fixture
def opened(browser):
    """Opens a page, and collects what it asks for, logs and gets wrong."""
    pages = []

    def open_page(path, **options):
        page = browser.new_page(**options)
        pages.append(page)
        page.trouble = []
        page.on("console", lambda message: page.trouble.append(message.text))
        page.on("pageerror", lambda error: page.trouble.append(str(error)))
        page.on("request", lambda asked: page.trouble.append(asked.url) if not asked.url.startswith("data:") else None)
        page.goto(path.resolve().as_uri())
        assert page.trouble.pop(0) == path.resolve().as_uri(), "the page itself"
        return page

    yield open_page
    for page in pages:
        page.close()
