"""Labels that people and other programs drew on maps: COCO, YOLO, DS9 regions, lists of caesar-mrcnn."""
