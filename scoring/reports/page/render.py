"""Pages from templates: one file each, with its style and script in it, and a policy that forbids everything else."""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

import jinja2


def render(template: str, **values: object) -> str:
    """The page of a template of this folder; values are escaped."""
    here = files(__package__)
    style, script = (here.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return _templates().get_template(template).render(style=style, script=script, policy=policy, **values)


def link_to(path: str) -> str:
    """A relative path as a link: its characters mean themselves, and its first part is no protocol."""
    return "./" + quote(Path(path).as_posix())


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _digest(text: str) -> str:
    """The hash by which the policy allows a text in the page."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
