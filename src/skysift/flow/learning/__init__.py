"""Learning without labels, from pictures or maps to weights, numbers and pages."""
