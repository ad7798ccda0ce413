"""skysift, PyBDSF, Aegean, sep and photutils side by side on made skies."""
