"""Reference pages from the declarations: options, columns, flags, commands, plug-ins, floors.

Each directive writes reStructuredText out of what the package declares, so that nothing is told twice. The
roles `:opt:`, `:col:` and `:flag:` link to an option, a column or a flag, and refuse one that is not there.
"""

import ast
import importlib
import inspect
import json
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from skysift.base.registry import Registry
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.view import View
from skysift.cli.main import _load as load_command
from skysift.flow.learning.options import GROUPS, ProbeOptions
from skysift.match import columns as match_columns
from skysift.plugins import PLUGINS
from skysift.serve.options import ServeOptions
from skysift.sky import schema
from skysift.sky.flags import FLAGS

MENUS = {
    (kind, name): Registry(kind).options(name)
    for kind in PLUGINS
    for name in Registry(kind).names()
    if Registry(kind).has_options(name)
}
MENUS |= {("group of a pretraining", name): group for name, group in GROUPS.items()}
MENUS |= {("command", "probe"): ProbeOptions}
OPTIONS = {row.name for menu in MENUS.values() for row in menu.rows()}
CHECKOUT = Path(__file__).resolve().parents[2]


def first_line(thing):
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def indent(text, by="   "):
    return "\n".join(f"{by}{line}" if line else "" for line in text.splitlines())


def literal(text):
    """The text with what stands in backticks shown as it is."""
    return re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", text)


def title(text, line):
    return f"{text}\n{line * len(text)}\n"


# -- options


def menus():
    """(class, rows of its own) of every menu, the plug-ins' own first, what they share behind them."""
    own, shared = {}, {}
    for menu in MENUS.values():
        rows = {row.name: row for row in menu.rows()}
        for cls in menu.__mro__:
            mine = [rows[each] for each in vars(cls).get("__annotations__", {}) if each in rows]
            if mine:
                (own if cls in MENUS.values() else shared)[cls] = mine
    return own, shared


def options_text():
    own, shared = menus()
    labels = {
        menu: f"{kind}-{name}-options".replace(" ", "-")
        for (kind, name), menu in MENUS.items()
        if menu in own
    }
    labels |= {cls: cls.__name__ for cls in shared}
    seen = set()
    parts = []
    for (kind, name), menu in MENUS.items():
        with_it = [f":ref:`{words(cls)} <{labels[cls]}>`" for cls in menu.__mro__[1:] if cls in labels]
        parts += [
            f".. _{kind.replace(' ', '-')}-{name}-options:",
            "",
            title(f"{kind.capitalize()}: {name}", "-"),
            first_line(menu),
            "",
        ]
        if with_it:
            told = f"{', '.join(with_it[:-1])} and {with_it[-1]}" if with_it[1:] else with_it[0]
            parts += [f"Those of {told}, further down, hold for it as well.", ""]
        parts += [option_text(row, seen) for row in own.get(menu, [])]
    for cls, rows in shared.items():
        parts += [f".. _{cls.__name__}:", "", title(words(cls), "-"), first_line(cls), ""]
        parts += [option_text(row, seen) for row in rows]
    return "\n".join(parts)


def words(cls):
    """The name of a menu as words: NoiseOptions is "noise options"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__name__).capitalize()


def option_text(row, seen):
    default = json.dumps(row.default, default=str).strip('"')
    flag = "   :no-index:\n" if row.name in seen else ""
    seen.add(row.name)
    doc = re.sub(r"`([^`]+)`", lambda m: f":opt:`{m[1]}`" if m[1] in OPTIONS else f"``{m[1]}``", row.doc)
    value = f"``{default}`` {row.unit}".rstrip() if default else "none"
    return f".. opt:: {row.name}\n{flag}\n   {doc}\n\n   Default {value}; {row.allowed}.\n"


def serving_text():
    """The settings of a service."""
    lines = []
    for row in ServeOptions.rows():
        value = f"``{row.default}`` {row.unit}".rstrip() if row.default not in ("", ()) else "none"
        lines += [f"``{row.name}``", f"   {literal(row.doc)}", "", f"   Default {value}; {row.allowed}.", ""]
    return "\n".join(lines)


# -- columns and flags


def columns_text():
    lines = []
    for table in schema.TABLES:
        names = ", ".join(f":col:`{each.name}`" for each in schema.columns(table))
        lines += [f"**{table}**: {names}", ""]
    names = ", ".join(f":col:`{each.name}`" for each in schema.FURTHER)
    lines += [f"**Where what made a table knows them**: {names}", ""]
    for each in (*schema.COLUMNS, *schema.FURTHER):
        kind = f"{each.dtype}, {each.unit}" if each.unit else each.dtype
        lines += [f".. col:: {each.name}", "", f"   {each.meaning}", ""]
        lines += [f"   {kind}; {', '.join(each.tables)}; UCD ``{each.ucd}``", ""]
    return "\n".join(lines)


def matches_text():
    lines = []
    for told, columns in (
        ("``skysift match``, once a row", match_columns.MATCHES),
        ("of each catalogue, such as ``id_1``", match_columns.EACH),
        ("of each catalogue after the first, such as ``separation_2``", match_columns.FURTHER),
        ("the table of ``--candidates``", match_columns.CANDIDATES),
        ("the table of duplicates", match_columns.DUPLICATES),
    ):
        lines += [f"**{told[0].upper() if told[0].isalpha() else told[0]}{told[1:]}**", ""]
        for each in columns:
            kind = f"{each.dtype}, {each.unit}" if each.unit else each.dtype
            lines += [f"``{each.name}``", f"   {each.meaning} ({kind}; UCD ``{each.ucd}``)", ""]
    return "\n".join(lines)


def flags_text():
    lines = []
    for each in FLAGS:
        lines += [
            f".. flag:: {each.name}",
            "",
            f"   {each.meaning}",
            "",
            f"   Bit {each.bit}, value {each.value}",
            "",
        ]
    return "\n".join(lines)


# -- commands


def commands_text():
    return "\n".join(command_text(name) for name in Registry("command").names())


def command_text(name):
    command = load_command(name)
    words = [each.metavar for each in command.params if not each.opts[0].startswith("-")]
    lines = [title(f"skysift {name}", "-"), f".. program:: skysift {name}", ""]
    lines += [f"``skysift {name} {' '.join(words)} [FLAGS]``", "", help_text(command.help), ""]
    for each in command.params:
        lines += [parameter_text(each)]
    return "\n".join(lines)


def help_text(text):
    """The help of a command: paragraphs behind a \\b keep their lines."""
    parts = []
    for part in re.split(r"\n{2,}", text.strip()):
        keep, _, body = part.rpartition("\b\n")
        if "\b" in part and not keep:
            head, _, rest = body.partition("\n")
            if head.endswith(":"):
                parts.append(f"{head}\n\n.. code-block:: text\n\n{indent(inspect.cleandoc(rest))}")
            else:
                parts.append(" ".join(body.split()))
        else:
            parts.append(part)
    return "\n\n".join(
        part.replace("`skysift ", "``skysift ").replace("`", "``").replace("````", "``") for part in parts
    )


def parameter_text(each):
    flag = each.opts[0].startswith("-")
    value = f" {each.metavar}" if flag and each.metavar else ""
    names = ", ".join(f"{opt}{value}" for opt in [*each.opts, *each.secondary_opts]) if flag else each.metavar
    text = literal(each.help)
    told = "" if each.default in (None, False, True) else f" Default ``{each.default}``."
    return f".. option:: {names}\n\n   {text}{told}\n"


# -- plug-ins


def plugins_text():
    lines = []
    for kind, entries in PLUGINS.items():
        lines += [title(kind, "-"), ".. list-table::", "   :widths: 14 50 36", ""]
        for name, (path, _) in entries.items():
            what = literal(first_line(Registry(kind).load(name)))
            lines += [f"   * - ``{name}``", f"     - {what}", f"     - ``{path}``"]
        lines.append("")
    return "\n".join(lines)


def formats_text():
    lines = []
    for name in Registry("format").names():
        form = Registry("format").load(name)
        lines += [f"``{name}`` ({' '.join(form.suffixes)})", indent(inspect.getdoc(form)), ""]
    return "\n".join(lines)


# -- layouts of other programs


def layouts_text():
    lines = []
    for name in Registry("layout").names():
        layout = Registry("layout").load(name)()
        written = f"Written as {' '.join(layout.suffixes)}." if layout.suffixes else "Only read."
        lines += [
            title(f"{name}: {layout.title}", "-"),
            literal(inspect.getdoc(type(layout))),
            "",
            written,
            "",
        ]
        for kind, places in getattr(layout, "places", {}).items():
            lines += [f".. list-table:: {kind}", "   :header-rows: 1", "   :widths: 34 33 33", ""]
            lines += ["   * - theirs", "     - ours", "     - unit there"]
            for place in places:
                if place.ours:
                    lines += [
                        f"   * - ``{place.theirs}``",
                        f"     - :col:`{place.ours}`",
                        f"     - {place.unit}",
                    ]
            lines.append("")
        if Registry("layout").has_options(name):
            lines += [f"It has :ref:`options <layout-{name}-options>`, by ``--set KEY=VALUE``.", ""]
    return "\n".join(lines)


# -- features of pictures


def features_text():
    view, options = View(("A", "B", "C")), FeaturesOptions(frequencies=(0.9e9, 1.4e9, 3e9))
    lines = []
    for name in Registry("feature").names():
        group = Registry("feature").load(name)()
        lines += [title(f"{name}: {group.title}", "-"), literal(inspect.getdoc(type(group))), ""]
        lines += [".. list-table::", "   :widths: 26 12 62", ""]
        for each in group.columns(view, options):
            lines += [f"   * - ``{each.name}``", f"     - {each.unit}", f"     - {each.doc}"]
        lines.append("")
    return "\n".join(lines)


# -- the floors, as the test reads them


def floors():
    """[{room: its sentence}] from the lowest floor up; rooms that are not there yet are left out."""
    tree = ast.parse((CHECKOUT / "tests" / "house" / "test_floors.py").read_bytes())
    found = next(
        node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "FLOORS"
    )
    return [
        rooms
        for floor in ast.literal_eval(found)
        if (rooms := {r: s for r in sorted(floor) if (s := sentence(r))})
    ]


def sentence(room):
    """The first sentence of a room, or nothing where there is no such room."""
    place = CHECKOUT / "src" / "skysift" / room
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return ast.get_docstring(ast.parse(path.read_bytes())).partition("\n")[0] if path.is_file() else ""


def floors_text():
    lines = [".. container:: house", ""]
    for floor in reversed(floors()):
        lines += ["   .. container:: floor", ""]
        for room, words in floor.items():
            lines += ["      .. container:: room", "", f"         **{room}**", "", f"         {words}", ""]
    return "\n".join(lines)


# -- Sphinx


class Declared(SphinxDirective):
    """The text that a function writes, in place of the directive."""

    has_content = False
    text = None

    def run(self):
        for module in ("plugins", "sky/schema", "sky/flags"):
            self.env.note_dependency(str(CHECKOUT / "src" / "skysift" / f"{module}.py"))
        content = StringList(type(self).text().splitlines(), "declared")
        return self.parse_content_to_nodes(content)

    def parse_content_to_nodes(self, content):
        self.content, self.content_offset = content, 0
        return super().parse_content_to_nodes(allow_section_headings=True)


def value_role(name, rawtext, text, lineno, inliner, options=None, content=None):
    """A constant of the code, such as ``:value:`skysift.find.pieces.GIANT```."""
    module, _, constant = text.rpartition(".")
    try:
        shown = getattr(importlib.import_module(module), constant)
    except (ImportError, AttributeError, ValueError):
        return [], [inliner.reporter.warning(f"there is no value {text}", line=lineno)]
    return [nodes.inline(rawtext, f"{shown:g}", classes=["value"])], []


TEXTS = {
    "options": options_text,
    "columns": columns_text,
    "matches": matches_text,
    "flags": flags_text,
    "commands": commands_text,
    "plugins": plugins_text,
    "serving": serving_text,
    "formats": formats_text,
    "layouts": layouts_text,
    "floors": floors_text,
    "features": features_text,
}


def setup(app):
    app.add_role("value", value_role)
    app.add_object_type("opt", "opt", "single: %s (option)")
    app.add_object_type("col", "col", "single: %s (column)")
    app.add_object_type("flag", "flag", "single: %s (flag)")
    for name, text in TEXTS.items():
        app.add_directive(
            f"declared-{name}", type(f"Declared{name.title()}", (Declared,), {"text": staticmethod(text)})
        )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
