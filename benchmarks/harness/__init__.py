"""The machinery that runs cases fairly and writes down what it saw. No case and no figure lives here."""
