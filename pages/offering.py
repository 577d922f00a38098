"""What is sold here, said once: live, one to one and individual.

The contract's words decide whether a coaching needs a licence as distance teaching (FernUSG §§ 1, 7,
12), so order, confirmation and terms take them from here.
"""

KIND = "Einzelcoaching, live, 1:1 und individuell"
NO_COURSE = (
    "Es gibt keinen Lehrplan, keine Unterlagen zum Selbststudium, keine Aufzeichnungen, "
    "keine Prüfungen und kein Zertifikat."
)
NOT_RECORDED = "Gespräche werden nicht aufgezeichnet."
NO_THERAPY = "Coaching ist keine Psychotherapie und keine Rechts- oder Steuerberatung."
