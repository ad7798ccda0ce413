"""Numbers measured on pictures of sources: fluxes, colours, shapes, peaks, profiles, spectra."""
