"""The columns of ``ivoa.obscore``: ObsCore 1.1 with its units, UCDs and utypes."""

from __future__ import annotations

from skysift.archive.fields import Field

__all__ = ["OBSCORE"]


def _field(
    name: str,
    datatype: str,
    utype: str,
    ucd: str,
    description: str,
    *,
    unit: str = "",
    xtype: str = "",
    principal: bool = True,
    indexed: bool = False,
) -> Field:
    return Field(
        name,
        datatype,
        "*" if datatype in ("char", "unicodeChar") else "",
        xtype,
        unit,
        ucd,
        f"obscore:{utype}",
        description,
        indexed,
        principal,
        True,
        name,
    )


OBSCORE: tuple[Field, ...] = (
    _field(
        "dataproduct_type",
        "char",
        "ObsDataset.dataProductType",
        "meta.code.class",
        "Kind of product: image, cube",
    ),
    _field(
        "dataproduct_subtype",
        "char",
        "ObsDataset.dataProductSubtype",
        "meta.code.class",
        "Kind within that kind",
        principal=False,
    ),
    _field(
        "calib_level",
        "int",
        "ObsDataset.calibLevel",
        "meta.code;obs.calib",
        "How far it is calibrated: 0 to 4",
    ),
    _field("obs_collection", "char", "DataID.collection", "meta.id", "Name of the collection"),
    _field(
        "obs_id", "unicodeChar", "DataID.observationID", "meta.id", "What products of one observation share"
    ),
    _field(
        "obs_title", "unicodeChar", "DataID.title", "meta.title;obs", "What it is, in words", principal=False
    ),
    _field(
        "obs_publisher_did",
        "char",
        "Curation.publisherDID",
        "meta.ref.ivoid",
        "Identifier that this service gave",
        indexed=True,
    ),
    _field(
        "obs_creator_did",
        "char",
        "DataID.creatorDID",
        "meta.id",
        "Identifier that the creator gave",
        principal=False,
    ),
    _field("access_url", "char", "Access.reference", "meta.ref.url", "Where to get it"),
    _field("access_format", "char", "Access.format", "meta.code.mime", "Its format"),
    _field("access_estsize", "long", "Access.size", "phys.size;meta.file", "Its size", unit="kbyte"),
    _field("target_name", "unicodeChar", "Target.name", "meta.id;src", "What was observed"),
    _field(
        "target_class", "char", "Target.class", "src.class", "What kind of object that is", principal=False
    ),
    _field(
        "s_ra",
        "double",
        "Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2.C1",
        "pos.eq.ra",
        "Right ascension of the middle, ICRS",
        unit="deg",
        indexed=True,
    ),
    _field(
        "s_dec",
        "double",
        "Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2.C2",
        "pos.eq.dec",
        "Declination of the middle, ICRS",
        unit="deg",
        indexed=True,
    ),
    _field(
        "s_fov",
        "double",
        "Char.SpatialAxis.Coverage.Bounds.Extent.diameter",
        "phys.angSize;instr.fov",
        "Diameter of what it covers",
        unit="deg",
    ),
    _field(
        "s_region",
        "char",
        "Char.SpatialAxis.Coverage.Support.Area",
        "pos.outline;obs.field",
        "What it covers of the sky",
        xtype="adql:REGION",
    ),
    _field(
        "s_resolution",
        "double",
        "Char.SpatialAxis.Resolution.Refval.value",
        "pos.angResolution",
        "FWHM of the beam",
        unit="arcsec",
    ),
    _field(
        "s_xel1", "long", "Char.SpatialAxis.numBins1", "meta.number", "Pixels along the first axis of the sky"
    ),
    _field(
        "s_xel2",
        "long",
        "Char.SpatialAxis.numBins2",
        "meta.number",
        "Pixels along the second axis of the sky",
    ),
    _field(
        "s_pixel_scale",
        "double",
        "Char.SpatialAxis.Sampling.RefVal.SamplingPeriod",
        "phys.angSize;instr.pixel",
        "Size of a pixel",
        unit="arcsec",
        principal=False,
    ),
    _field("s_ucd", "char", "Char.SpatialAxis.ucd", "meta.ucd", "UCD of the spatial axis", principal=False),
    _field(
        "s_unit", "char", "Char.SpatialAxis.unit", "meta.unit", "Unit of the spatial axis", principal=False
    ),
    _field("t_xel", "long", "Char.TimeAxis.numBins", "meta.number", "Elements along time"),
    _field(
        "t_min",
        "double",
        "Char.TimeAxis.Coverage.Bounds.Limits.StartTime",
        "time.start;obs.exposure",
        "Begin of the observation, MJD",
        unit="d",
    ),
    _field(
        "t_max",
        "double",
        "Char.TimeAxis.Coverage.Bounds.Limits.StopTime",
        "time.end;obs.exposure",
        "End of the observation, MJD",
        unit="d",
    ),
    _field(
        "t_exptime",
        "double",
        "Char.TimeAxis.Coverage.Support.Extent",
        "time.duration;obs.exposure",
        "Time of exposure",
        unit="s",
    ),
    _field(
        "t_resolution",
        "double",
        "Char.TimeAxis.Resolution.Refval.value",
        "time.resolution",
        "Resolution in time",
        unit="s",
    ),
    _field("em_xel", "long", "Char.SpectralAxis.numBins", "meta.number", "Elements along the spectrum"),
    _field(
        "em_min",
        "double",
        "Char.SpectralAxis.Coverage.Bounds.Limits.LoLimit",
        "em.wl;stat.min",
        "Shortest wavelength, vacuum",
        unit="m",
    ),
    _field(
        "em_max",
        "double",
        "Char.SpectralAxis.Coverage.Bounds.Limits.HiLimit",
        "em.wl;stat.max",
        "Longest wavelength, vacuum",
        unit="m",
    ),
    _field(
        "em_res_power",
        "double",
        "Char.SpectralAxis.Resolution.ResolPower.refVal",
        "spect.resolution",
        "Resolving power",
    ),
    _field(
        "em_ucd", "char", "Char.SpectralAxis.ucd", "meta.ucd", "UCD of the spectral axis", principal=False
    ),
    _field("o_ucd", "char", "Char.ObservableAxis.ucd", "meta.ucd", "UCD of what was measured"),
    _field(
        "o_unit",
        "char",
        "Char.ObservableAxis.unit",
        "meta.unit",
        "Unit of what was measured",
        principal=False,
    ),
    _field("pol_xel", "long", "Char.PolarizationAxis.numBins", "meta.number", "Polarisation states"),
    _field(
        "pol_states",
        "char",
        "Char.PolarizationAxis.stateList",
        "meta.code;phys.polarization",
        "Which: /I/Q/U/V/",
    ),
    _field(
        "facility_name", "unicodeChar", "Provenance.ObsConfig.Facility.name", "meta.id;instr.tel", "Telescope"
    ),
    _field(
        "instrument_name",
        "unicodeChar",
        "Provenance.ObsConfig.Instrument.name",
        "meta.id;instr",
        "Instrument",
    ),
)
