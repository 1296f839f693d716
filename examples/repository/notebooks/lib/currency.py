"""A plain Python module: no notebook, since its first line does not say so."""


def in_euros(amount: float, rate: float) -> float:
    return round(amount * rate, 2)
