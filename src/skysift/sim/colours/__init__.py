"""Made samples of classes of radio sources with colours as published: tables of fluxes, and small images of them."""
