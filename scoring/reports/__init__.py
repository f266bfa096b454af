"""Reports: a result as a person or a program reads it. Nothing is computed here that the score depends on."""

CONTRADICTED = "Guarantee contradicted"
"""How the note begins that is shown in red."""
