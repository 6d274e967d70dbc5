"""The list of students' wrong steps, each with the name of its mistake."""

MISTAKES = []  # (name, check, options, function)


def mistake(name, check, **options):
    """Register the function below as a student's mistake."""

    def register(function):
        MISTAKES.append((name, check, options, function))
        return function

    return register
