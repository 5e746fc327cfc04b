"""Networks of the package ultralytics (YOLO11, YOLO26…) as detector, skeleton network and mask network."""
