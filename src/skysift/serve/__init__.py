"""The service: finders, jobs, images and catalogues over HTTP; thin handlers, no science."""
