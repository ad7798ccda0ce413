"""The index of the house: kind -> name -> (path of the object, path of its options); one line per algorithm.

Strings only: nothing is imported here, so that this page costs nothing to read. `skysift.base.registry` loads
what is asked for. A third party adds to a kind by the entry points ``skysift.<kind>`` (the object) and
``skysift.<kind>.options`` (its options, under the same name).
"""

PLUGINS: dict[str, dict[str, tuple[str, str]]] = {
    "finder": {
        "classic": (
            "skysift.find.classic.finder:ClassicFinder",
            "skysift.find.classic.options:ClassicOptions",
        ),
        "extended": (
            "skysift.find.extended.finder:ExtendedFinder",
            "skysift.find.extended.options:ExtendedOptions",
        ),
        "full": ("skysift.find.extended.finder:FullFinder", "skysift.find.extended.options:FullOptions"),
        "detr": ("skysift.find.neural.detr.finder:DetrFinder", "skysift.find.neural.options:DetrOptions"),
        "rcnn": ("skysift.find.neural.rcnn.finder:RcnnFinder", "skysift.find.neural.options:RcnnOptions"),
        "unet": ("skysift.find.neural.unet.finder:UnetFinder", "skysift.find.neural.options:UnetOptions"),
        "yolo": ("skysift.find.neural.yolo.finder:YoloFinder", "skysift.find.neural.options:YoloOptions"),
        "ensemble": (
            "skysift.find.neural.ensemble:EnsembleFinder",
            "skysift.find.neural.options:EnsembleOptions",
        ),
    },
    "model": {
        "detr": (
            "skysift.find.neural.detr.model:DetrLearner",
            "skysift.find.neural.detr.options:DetrModelOptions",
        ),
        "rcnn": (
            "skysift.find.neural.rcnn.model:RcnnLearner",
            "skysift.find.neural.rcnn.options:RcnnModelOptions",
        ),
        "unet": (
            "skysift.find.neural.unet.unet:UnetLearner",
            "skysift.find.neural.unet.options:UnetModelOptions",
        ),
        "yolo-dense": (
            "skysift.find.neural.yolo.dense:DenseLearner",
            "skysift.find.neural.yolo.options:DenseOptions",
        ),
        "yolo-grid": (
            "skysift.find.neural.yolo.grid:GridLearner",
            "skysift.find.neural.yolo.options:GridOptions",
        ),
    },
    "pretraining": {
        "all4one": (
            "skysift.learn.pretrain.all4one:All4One",
            "skysift.learn.pretrain.options:All4OneOptions",
        ),
        "byol": ("skysift.learn.pretrain.byol:Byol", "skysift.learn.pretrain.options:ByolOptions"),
        "dino": ("skysift.learn.pretrain.dino:Dino", "skysift.learn.pretrain.options:DinoOptions"),
        "mae": ("skysift.learn.pretrain.mae:Mae", "skysift.learn.pretrain.options:MaeOptions"),
        "simclr": ("skysift.learn.pretrain.simclr:Simclr", "skysift.learn.pretrain.options:SimclrOptions"),
        "swav": ("skysift.learn.pretrain.swav:Swav", "skysift.learn.pretrain.options:SwavOptions"),
        "vicreg": ("skysift.learn.pretrain.vicreg:Vicreg", "skysift.learn.pretrain.options:VicregOptions"),
        "wmse": ("skysift.learn.pretrain.wmse:Wmse", "skysift.learn.pretrain.options:WmseOptions"),
    },
    "segmenter": {
        "smooth": ("skysift.find.extended.smooth:SmoothSegmenter", ""),
        "wavelet": ("skysift.find.extended.smooth:WaveletSegmenter", ""),
        "saliency": ("skysift.find.extended.saliency:SaliencySegmenter", ""),
        "contour": ("skysift.find.extended.contour:ContourSegmenter", ""),
        "superpixels": ("skysift.find.extended.superpixels:SuperpixelSegmenter", ""),
    },
    "scorer": {
        "counts": ("skysift.score.counts:CountsScorer", "skysift.score.options:CountsOptions"),
        "fluxes": ("skysift.score.fluxes:FluxesScorer", "skysift.score.options:FluxesOptions"),
        "coco": ("skysift.score.coco:CocoScorer", "skysift.score.options:CocoOptions"),
        "classes": ("skysift.score.classes:ClassesScorer", "skysift.score.options:ClassesOptions"),
        "sdc1": ("skysift.score.sdc1:Sdc1Scorer", "skysift.score.options:Sdc1Options"),
        "sdc2": ("skysift.score.sdc2:Sdc2Scorer", "skysift.score.options:Sdc2Options"),
    },
    "feature": {
        "shape": ("skysift.classify.features.shape:ShapeFeatures", ""),
        "peaks": ("skysift.classify.features.peaks:PeaksFeatures", ""),
        "rings": ("skysift.classify.features.rings:RingsFeatures", ""),
        "flux": ("skysift.classify.features.flux:FluxFeatures", ""),
        "pairs": ("skysift.classify.features.pairs:PairsFeatures", ""),
        "spectral": ("skysift.classify.features.spectral:SpectralFeatures", ""),
    },
    "matcher": {
        "nearest": ("skysift.match.matcher:NearestMatcher", "skysift.match.options:NearestOptions"),
        "one-to-one": ("skysift.match.matcher:OneToOneMatcher", "skysift.match.options:OneToOneOptions"),
        "ellipse": ("skysift.match.ellipse:EllipseMatcher", "skysift.match.options:EllipseOptions"),
        "island": ("skysift.match.island:IslandMatcher", "skysift.match.options:IslandOptions"),
        "likelihood": (
            "skysift.match.likelihood:LikelihoodMatcher",
            "skysift.match.options:LikelihoodOptions",
        ),
    },
    "simulator": {
        "continuum": (
            "skysift.sim.continuum:ContinuumSimulator",
            "skysift.sim.options:ContinuumOptions",
        ),
        "galactic": ("skysift.sim.galactic:GalacticSimulator", "skysift.sim.options:GalacticOptions"),
        "extended": (
            "skysift.sim.extended.simulator:ExtendedSimulator",
            "skysift.sim.extended.options:ExtendedSkyOptions",
        ),
    },
    "clusterer": {
        "hdbscan": ("skysift.explore.cluster:HdbscanClusterer", "skysift.explore.options:HdbscanOptions"),
        "kmeans": ("skysift.explore.cluster:KMeansClusterer", "skysift.explore.options:KMeansOptions"),
        "mixture": ("skysift.explore.cluster:MixtureClusterer", "skysift.explore.options:MixtureOptions"),
    },
    "outlier": {
        "forest": ("skysift.explore.outliers:ForestOutlier", "skysift.explore.options:ForestOptions"),
        "density": ("skysift.explore.outliers:DensityOutlier", "skysift.explore.options:DensityOptions"),
        "distance": ("skysift.explore.outliers:DistanceOutlier", "skysift.explore.options:DistanceOptions"),
        "reconstruction": (
            "skysift.explore.reconstruction:ReconstructionOutlier",
            "skysift.explore.options:ReconstructionOptions",
        ),
    },
    "step": {
        "inject": ("skysift.flow.steps.inject:InjectStep", "skysift.flow.options:InjectMapOptions"),
        "detections": (
            "skysift.flow.steps.detections:DetectionsStep",
            "skysift.classify.options:DetectionsOptions",
        ),
        "samples": (
            "skysift.flow.steps.samples:SamplesStep",
            "skysift.sim.colours.options:SamplesOptions",
        ),
        "completeness": (
            "skysift.flow.steps.completeness:CompletenessStep",
            "skysift.sim.inject.options:CompletenessOptions",
        ),
        "measure": ("skysift.flow.steps.measure:MeasureStep", "skysift.measure.options:MeasureOptions"),
        "judge": ("skysift.flow.steps.judge:JudgeStep", "skysift.find.neural.options:JudgeOptions"),
        "candidates": (
            "skysift.flow.steps.candidates:CandidatesStep",
            "skysift.flow.training.options:CandidatesOptions",
        ),
        "calibrate": (
            "skysift.flow.steps.calibrate:CalibrateStep",
            "skysift.flow.training.options:CalibrateOptions",
        ),
        "evaluate": (
            "skysift.flow.steps.evaluate:EvaluateStep",
            "skysift.flow.training.options:EvaluateOptions",
        ),
        "survey": ("skysift.flow.steps.survey:SurveyStep", "skysift.flow.options:SurveyOptions"),
        "features": (
            "skysift.flow.steps.features:FeaturesStep",
            "skysift.classify.features.options:FeaturesOptions",
        ),
        "stamps": ("skysift.flow.steps.stamps:StampsStep", "skysift.stamps.options:StampsOptions"),
        "classify-train": (
            "skysift.flow.steps.classify:ClassifyTrainStep",
            "skysift.classify.options:TrainOptions",
        ),
        "classify-predict": ("skysift.flow.steps.classify_predict:ClassifyPredictStep", ""),
        "classify-evaluate": (
            "skysift.flow.steps.classify_evaluate:ClassifyEvaluateStep",
            "skysift.classify.options:JudgeOptions",
        ),
        "classify-explain": (
            "skysift.flow.steps.classify_explain:ClassifyExplainStep",
            "skysift.classify.options:ExplainOptions",
        ),
        "stack": ("skysift.flow.steps.stack:StackStep", "skysift.stamps.options:StackOptions"),
        "explore": ("skysift.flow.steps.explore:ExploreStep", "skysift.explore.options:ExploreOptions"),
    },
    "app": {
        "query": ("skysift.jobs.apps.query:QueryApp", "skysift.jobs.apps.options:QueryOptions"),
        "cutout": ("skysift.jobs.apps.cutout:CutoutApp", "skysift.jobs.apps.options:CutoutOptions"),
        "mcutout": (
            "skysift.jobs.apps.cutout:ManyCutoutsApp",
            "skysift.jobs.apps.options:ManyCutoutsOptions",
        ),
        "hips": ("skysift.jobs.apps.hips:HipsApp", "skysift.jobs.apps.options:HipsOptions"),
        "finder": ("skysift.jobs.apps.find:FindApp", "skysift.jobs.options:ProductsOptions"),
        "matcher": ("skysift.jobs.apps.match:MatchApp", "skysift.jobs.options:MatchedOptions"),
        "measure": ("skysift.jobs.apps.measure:MeasureApp", "skysift.jobs.options:MeasureAppOptions"),
        "classify": ("skysift.jobs.apps.classify:ClassifyApp", "skysift.jobs.options:ClassifyAppOptions"),
        "explore": ("skysift.jobs.apps.explore:ExploreApp", "skysift.jobs.options:ExploreAppOptions"),
        "stamps": ("skysift.jobs.apps.stamps:StampsApp", "skysift.jobs.options:StampsAppOptions"),
        "stack": ("skysift.jobs.apps.stamps:StackApp", "skysift.jobs.options:StackAppOptions"),
        "merge": ("skysift.jobs.apps.merge:MergeApp", "skysift.jobs.options:MergeOptions"),
        "aegean": ("skysift.jobs.apps.aegean:AegeanApp", "skysift.jobs.options:AegeanOptions"),
        "pybdsf": ("skysift.jobs.apps.pybdsf:PyBDSFApp", "skysift.jobs.options:PyBDSFOptions"),
    },
    "job-executor": {
        "local": (
            "skysift.jobs.executors.local:LocalExecutor",
            "skysift.jobs.options:LocalExecutorOptions",
        ),
        "dask": ("skysift.jobs.executors.dask:DaskExecutor", "skysift.jobs.options:DaskExecutorOptions"),
    },
    "classifier": {
        "lightgbm": (
            "skysift.classify.tables:LightGBMClassifier",
            "skysift.classify.options:LightGBMOptions",
        ),
        "forest": (
            "skysift.classify.tables:ForestClassifier",
            "skysift.classify.options:ForestOptions",
        ),
        "boosting": (
            "skysift.classify.tables:BoostingClassifier",
            "skysift.classify.options:BoostingOptions",
        ),
        "logistic": (
            "skysift.classify.tables:LogisticClassifier",
            "skysift.classify.options:LogisticOptions",
        ),
        "svc": (
            "skysift.classify.tables:SVCClassifier",
            "skysift.classify.options:SVCOptions",
        ),
        "mlp": (
            "skysift.classify.tables:MLPClassifier",
            "skysift.classify.options:MLPOptions",
        ),
        "qda": (
            "skysift.classify.tables:QDAClassifier",
            "skysift.classify.options:QDAOptions",
        ),
        "neighbours": (
            "skysift.classify.tables:NeighboursClassifier",
            "skysift.classify.options:NeighboursOptions",
        ),
        "cnn": ("skysift.classify.images:CnnClassifier", "skysift.classify.options:CnnOptions"),
        "embedding": (
            "skysift.classify.images:EmbeddingClassifier",
            "skysift.classify.options:EmbeddingOptions",
        ),
    },
    "command": {
        "find": ("skysift.cli.find:find", ""),
        "measure": ("skysift.cli.measure:measure", ""),
        "simulate": ("skysift.cli.simulate:simulate", ""),
        "info": ("skysift.cli.info:info", ""),
        "options": ("skysift.cli.options:options", ""),
        "columns": ("skysift.cli.columns:columns", ""),
        "convert": ("skysift.cli.convert:convert", ""),
        "match": ("skysift.cli.match:match", ""),
        "validate": ("skysift.cli.validate:validate", ""),
        "classify": ("skysift.cli.classify:classify", ""),
        "score": ("skysift.cli.score:score", ""),
        "compare": ("skysift.cli.compare:compare", ""),
        "survey": ("skysift.cli.survey:survey", ""),
        "stamps": ("skysift.cli.stamps:stamps", ""),
        "stack": ("skysift.cli.stack:stack", ""),
        "features": ("skysift.cli.features:features", ""),
        "explore": ("skysift.cli.explore:explore", ""),
        "completeness": ("skysift.cli.completeness:completeness", ""),
        "train": ("skysift.cli.train:train", ""),
        "finetune": ("skysift.cli.finetune:finetune", ""),
        "models": ("skysift.cli.models:models", ""),
        "pretrain": ("skysift.cli.pretrain:pretrain", ""),
        "embed": ("skysift.cli.embed:embed", ""),
        "probe": ("skysift.cli.probe:probe", ""),
        "benchmark": ("skysift.cli.benchmark:benchmark", ""),
        "judge": ("skysift.cli.judge:judge", ""),
        "candidates": ("skysift.cli.candidates:candidates", ""),
        "evaluate": ("skysift.cli.evaluate:evaluate", ""),
        "export": ("skysift.cli.export:export", ""),
        "calibrate": ("skysift.cli.calibrate:calibrate", ""),
        "serve": ("skysift.cli.serve:serve", ""),
        "token": ("skysift.cli.token:token", ""),
        "ingest": ("skysift.cli.ingest:ingest", ""),
        "remote": ("skysift.cli.remote:remote", ""),
    },
    "format": {
        "fits": ("skysift.io.tables:FitsFormat", ""),
        "votable": ("skysift.io.votable:VOTableFormat", ""),
        "parquet": ("skysift.io.tables:ParquetFormat", ""),
        "csv": ("skysift.io.tables:CsvFormat", ""),
    },
    "layout": {
        "lotss": ("skysift.io.layouts.lotss:LotssLayout", ""),
        "pybdsf": ("skysift.io.layouts.pybdsf:PyBDSFLayout", ""),
        "aegean": ("skysift.io.layouts.aegean:AegeanLayout", ""),
        "casda": ("skysift.io.layouts.selavy:CasdaLayout", ""),
        "caesar": ("skysift.io.layouts.caesar:CaesarLayout", ""),
        "sdc1": ("skysift.io.layouts.sdc:Sdc1Layout", "skysift.io.layouts.options:Sdc1LayoutOptions"),
        "sdc2": ("skysift.io.layouts.sdc:Sdc2Layout", ""),
        "cds-mrt": ("skysift.io.layouts.mrt:MrtLayout", ""),
        "named": ("skysift.io.layouts.named:NamedLayout", "skysift.io.layouts.options:NamedOptions"),
    },
    "executor": {
        "serial": ("skysift.base.parallel:serial", ""),
        "threads": ("skysift.base.parallel:threads", ""),
        "dask": ("skysift.base.cluster:dask", ""),
    },
}
