"""How nbconvert makes a deck of a notebook: ``jupyter nbconvert --to slides --config docs/slides.py NOTEBOOK``."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

c = get_config()  # type: ignore[name-defined]  # noqa: F821
c.ExecutePreprocessor.enabled = True
c.FilesWriter.build_directory = "results/slides"
c.SlidesExporter.extra_template_basedirs = [str(HERE / "_templates")]
c.SlidesExporter.template_name = "slides"
c.SlidesExporter.preprocessors = ["deck.Deck"]
c.SlidesExporter.exclude_input_prompt = c.SlidesExporter.exclude_output_prompt = True
