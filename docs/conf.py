"""Settings of the pages; build them with `make docs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import skysift

project = "skysift"
copyright = "The skysift developers"  # noqa: A001 -- the name that Sphinx reads
version = release = skysift.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "numpydoc",
    "declared",  # tables made from the declarations of the package
    "mathml",  # formulas without scripts and without network
]
exclude_patterns = ["_build"]
default_role = "py:obj"  # `name` links where there is such a thing, and is shown as code where there is none
smartquotes = False  # -- stays what it is
nitpicky = True  # a page that speaks of an option, column, flag or page that does not exist is refused
nitpick_ignore_regex = [("py:.*", ".*")]  # names of other libraries, and words in backticks

toc_object_entries = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 90
python_use_unqualified_type_names = True
numpydoc_show_class_members = False
numpydoc_use_plots = False

html_theme = "alabaster"
html_title = f"skysift {release}"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_show_sourcelink = False
html_copy_source = False
html_math_renderer = "mathml"
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
html_theme_options = {
    "description": "Finds the sources in radio maps",
    "page_width": "1080px",
    "sidebar_width": "230px",
    "fixed_sidebar": True,
    "show_powered_by": False,
    "sidebar_collapse": True,
}
pygments_style = "tango"
