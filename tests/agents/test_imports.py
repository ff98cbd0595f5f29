"""Nobody pays for agents who does not use them."""

import subprocess
import sys

FRAMEWORKS = ("pydantic_ai", "openai", "anthropic", "google.genai", "crewai", "langfuse")
CODE = """
import sys
import dogwatch.app, dogwatch.cli, dogwatch.settings
assert not [name for name in sys.modules if name.startswith("dogwatch.agents")]
import dogwatch.desk, dogwatch.investigator, dogwatch.agents.crew, dogwatch.agents.tools
print(*[name for name in sys.argv[1:] if name in sys.modules])
"""


def test_no_agent_is_imported_without_the_verb_that_needs_it_and_no_framework_without_a_model() -> None:
    command = [sys.executable, "-c", CODE, *FRAMEWORKS]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == ""
