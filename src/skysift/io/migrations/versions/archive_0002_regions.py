"""Functions of regions of the sky for PostgreSQL: what `skysift.archive.regions` does, in its own language."""

from alembic import op

revision = "archive_0002"
down_revision = "archive_0001"
branch_labels = None
depends_on = None

_HEAD = "LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$"

_FUNCTIONS = {
    "sky_vector(lon float8, lat float8) RETURNS float8[]": """
BEGIN
  RETURN ARRAY[cos(radians(lat)) * cos(radians(lon)), cos(radians(lat)) * sin(radians(lon)), sin(radians(lat))];
END""",
    "sky_place(v float8[]) RETURNS float8[]": """
DECLARE lon float8 := degrees(atan2(v[2], v[1]));
BEGIN
  IF lon < 0 THEN lon := lon + 360; END IF;
  RETURN ARRAY[lon, degrees(atan2(v[3], sqrt(v[1] * v[1] + v[2] * v[2])))];
END""",
    "sky_dot(a float8[], b float8[]) RETURNS float8": """
BEGIN
  RETURN a[1] * b[1] + a[2] * b[2] + a[3] * b[3];
END""",
    "sky_cross(a float8[], b float8[]) RETURNS float8[]": """
BEGIN
  RETURN ARRAY[a[2] * b[3] - a[3] * b[2], a[3] * b[1] - a[1] * b[3], a[1] * b[2] - a[2] * b[1]];
END""",
    "sky_away(a float8[], b float8[]) RETURNS float8": """
BEGIN
  RETURN degrees(2 * asin(least(1.0::float8,
    sqrt((a[1] - b[1]) * (a[1] - b[1]) + (a[2] - b[2]) * (a[2] - b[2]) + (a[3] - b[3]) * (a[3] - b[3])) / 2)));
END""",
    "sky_east(c float8[]) RETURNS float8[]": """
DECLARE across float8 := sqrt(c[1] * c[1] + c[2] * c[2]);
BEGIN
  IF across > 1e-12 THEN RETURN ARRAY[-c[2] / across, c[1] / across, 0.0::float8]; END IF;
  RETURN ARRAY[0.0::float8, 1.0::float8, 0.0::float8];
END""",
    "sky_icrs(lon float8, lat float8) RETURNS float8[]": """
DECLARE v float8[] := sky_vector(lon, lat);
BEGIN
  RETURN sky_place(ARRAY[
    -0.0548756577125917 * v[1] + 0.4941094371927275 * v[2] - 0.8676661375596587 * v[3],
    -0.8734370519556161 * v[1] - 0.4448297212232951 * v[2] - 0.1980763372730005 * v[3],
    -0.4838350736167151 * v[1] + 0.7469821839866676 * v[2] + 0.4559838136873019 * v[3]]);
END""",
    "sky_middle(n float8[]) RETURNS float8[]": """
DECLARE x float8 := 0; y float8 := 0; z float8 := 0; v float8[]; length float8;
BEGIN
  FOR k IN 1 .. array_length(n, 1) / 2 LOOP
    v := sky_vector(n[2 * k - 1], n[2 * k]);
    x := x + v[1]; y := y + v[2]; z := z + v[3];
  END LOOP;
  length := sqrt(x * x + y * y + z * z);
  IF length = 0 THEN length := 1; END IF;
  RETURN ARRAY[x / length, y / length, z / length];
END""",
    # P, C or A (of polygons), then ICRS numbers; nothing for a text that tells no region
    "sky_region(told text) RETURNS text[]": """
DECLARE words text[]; kind text; numbers float8[]; galactic boolean := false; k int := 2; place float8[];
  c float8[]; e float8[]; n float8[]; a float8; b float8; found text[]; count int; middle float8[];
BEGIN
  words := regexp_split_to_array(btrim(regexp_replace(told, '[,()[:space:]]+', ' ', 'g')), ' ');
  kind := upper(words[1]);
  WHILE k <= array_length(words, 1) AND upper(words[k]) IN ('ICRS', 'FK5', 'J2000', 'GALACTIC', 'UNKNOWNFRAME', 'UNKNOWN',
      'GEOCENTER', 'BARYCENTER', 'TOPOCENTER', 'LSR', 'UNKNOWNREFPOS', 'RELOCATABLE', 'HELIOCENTER',
      'SPHERICAL2', 'SPHER2', 'UNITSPHERE') LOOP
    galactic := galactic OR upper(words[k]) = 'GALACTIC';
    k := k + 1;
  END LOOP;
  BEGIN
    numbers := words[k : array_length(words, 1)]::float8[];
  EXCEPTION WHEN others THEN RETURN NULL;
  END;
  count := coalesce(array_length(numbers, 1), 0);
  IF kind = 'POSITION' THEN kind := 'POINT'; END IF;
  IF NOT ((kind = 'POINT' AND count = 2) OR (kind = 'CIRCLE' AND count = 3) OR (kind = 'BOX' AND count = 4)
      OR (kind = 'POLYGON' AND count >= 6 AND mod(count, 2) = 0)) THEN RETURN NULL; END IF;
  IF kind = 'BOX' THEN
    IF numbers[3] <= 0 OR numbers[3] >= 180 OR numbers[4] <= 0 OR numbers[4] >= 180 THEN RETURN NULL; END IF;
    c := sky_vector(numbers[1], numbers[2]); e := sky_east(c); n := sky_cross(c, e);
    a := tan(radians(numbers[3] / 2)); b := tan(radians(numbers[4] / 2));
    numbers := sky_place(ARRAY[c[1] - a * e[1] - b * n[1], c[2] - a * e[2] - b * n[2], c[3] - a * e[3] - b * n[3]])
      || sky_place(ARRAY[c[1] + a * e[1] - b * n[1], c[2] + a * e[2] - b * n[2], c[3] + a * e[3] - b * n[3]])
      || sky_place(ARRAY[c[1] + a * e[1] + b * n[1], c[2] + a * e[2] + b * n[2], c[3] + a * e[3] + b * n[3]])
      || sky_place(ARRAY[c[1] - a * e[1] + b * n[1], c[2] - a * e[2] + b * n[2], c[3] - a * e[3] + b * n[3]]);
    kind := 'POLYGON'; count := 8;
  END IF;
  FOR j IN 1 .. CASE WHEN kind = 'POLYGON' THEN count / 2 ELSE 1 END LOOP
    IF numbers[2 * j] NOT BETWEEN -90 AND 90 OR abs(numbers[2 * j - 1]) > 720 THEN RETURN NULL; END IF;
    IF galactic THEN
      place := sky_icrs(numbers[2 * j - 1], numbers[2 * j]);
      numbers[2 * j - 1] := place[1]; numbers[2 * j] := place[2];
    END IF;
  END LOOP;
  IF kind = 'CIRCLE' AND numbers[3] NOT BETWEEN 0 AND 180 THEN RETURN NULL; END IF;
  IF kind = 'POLYGON' THEN
    middle := sky_middle(numbers);
    FOR j IN 1 .. count / 2 LOOP
      IF sky_dot(middle, sky_vector(numbers[2 * j - 1], numbers[2 * j])) <= 1e-6 THEN RETURN NULL; END IF;
    END LOOP;
  END IF;
  found := numbers::text[];
  RETURN ARRAY[CASE kind WHEN 'POINT' THEN 'P' WHEN 'CIRCLE' THEN 'C' ELSE 'A' END] || found;
END""",
    "sky_inside(v float8[], n float8[]) RETURNS boolean": """
DECLARE c float8[] := sky_middle(n); e float8[]; m float8[]; w float8; x float8; y float8; held boolean := false;
  count int := array_length(n, 1) / 2; a float8[]; b float8[]; xa float8; ya float8; xb float8; yb float8;
BEGIN
  w := sky_dot(v, c);
  IF w <= 0 THEN RETURN false; END IF;
  e := sky_east(c); m := sky_cross(c, e); x := sky_dot(v, e) / w; y := sky_dot(v, m) / w;
  FOR k IN 1 .. count LOOP
    a := sky_vector(n[2 * k - 1], n[2 * k]);
    b := sky_vector(n[2 * mod(k, count) + 1], n[2 * mod(k, count) + 2]);
    xa := sky_dot(a, e) / sky_dot(a, c); ya := sky_dot(a, m) / sky_dot(a, c);
    xb := sky_dot(b, e) / sky_dot(b, c); yb := sky_dot(b, m) / sky_dot(b, c);
    IF (ya > y) <> (yb > y) THEN
      IF x < (xb - xa) * (y - ya) / (yb - ya) + xa THEN held := NOT held; END IF;
    END IF;
  END LOOP;
  RETURN held;
END""",
    "sky_to_edge(p float8[], a float8[], b float8[]) RETURNS float8": """
DECLARE n float8[] := sky_cross(a, b); length float8;
BEGIN
  length := sqrt(sky_dot(n, n));
  IF length > 0 AND sky_dot(sky_cross(n, a), p) >= 0 AND sky_dot(sky_cross(b, n), p) >= 0 THEN
    RETURN degrees(asin(least(1.0::float8, abs(sky_dot(n, p)) / length)));
  END IF;
  RETURN least(sky_away(p, a), sky_away(p, b));
END""",
    "sky_border(p float8[], n float8[]) RETURNS float8": """
DECLARE least_one float8 := 180; count int := array_length(n, 1) / 2;
BEGIN
  FOR k IN 1 .. count LOOP
    least_one := least(least_one, sky_to_edge(p, sky_vector(n[2 * k - 1], n[2 * k]),
      sky_vector(n[2 * mod(k, count) + 1], n[2 * mod(k, count) + 2])));
  END LOOP;
  RETURN least_one;
END""",
    "sky_meet(a float8[], b float8[], c float8[], d float8[]) RETURNS boolean": """
DECLARE n float8[] := sky_cross(a, b); m float8[] := sky_cross(c, d); t float8[]; s float8[];
BEGIN
  t := sky_cross(n, m);
  s := ARRAY[-sky_dot(sky_cross(a, n), t), sky_dot(sky_cross(b, n), t),
    -sky_dot(sky_cross(c, m), t), sky_dot(sky_cross(d, m), t)];
  RETURN (s[1] > 0 AND s[2] > 0 AND s[3] > 0 AND s[4] > 0) OR (s[1] < 0 AND s[2] < 0 AND s[3] < 0 AND s[4] < 0);
END""",
    "sky_cross_edges(p float8[], q float8[]) RETURNS boolean": """
DECLARE np int := array_length(p, 1) / 2; nq int := array_length(q, 1) / 2; a float8[]; b float8[];
BEGIN
  FOR i IN 1 .. np LOOP
    a := sky_vector(p[2 * i - 1], p[2 * i]); b := sky_vector(p[2 * mod(i, np) + 1], p[2 * mod(i, np) + 2]);
    FOR j IN 1 .. nq LOOP
      IF sky_meet(a, b, sky_vector(q[2 * j - 1], q[2 * j]), sky_vector(q[2 * mod(j, nq) + 1], q[2 * mod(j, nq) + 2]))
        THEN RETURN true; END IF;
    END LOOP;
  END LOOP;
  RETURN false;
END""",
    "sky_near(a float8[], b float8[], radius float8) RETURNS boolean": """
BEGIN
  RETURN (a[1] - b[1]) * (a[1] - b[1]) + (a[2] - b[2]) * (a[2] - b[2]) + (a[3] - b[3]) * (a[3] - b[3])
    <= 4 * sin(radians(radius) / 2) * sin(radians(radius) / 2);
END""",
    "sky_contains(outer_told text, inner_told text) RETURNS bigint": """
DECLARE o text[] := sky_region(outer_told); i text[] := sky_region(inner_told); p float8[]; q float8[]; v float8[];
  held boolean := true;
BEGIN
  IF o IS NULL OR i IS NULL THEN RETURN NULL; END IF;
  p := o[2 : array_length(o, 1)]::float8[]; q := i[2 : array_length(i, 1)]::float8[];
  v := sky_vector(q[1], q[2]);
  IF o[1] = 'P' THEN
    held := i[1] = 'P' AND sky_away(sky_vector(p[1], p[2]), v) < 1e-9;
  ELSIF o[1] = 'C' AND i[1] = 'C' THEN
    held := sky_away(sky_vector(p[1], p[2]), v) + q[3] <= p[3];
  ELSIF i[1] = 'A' THEN
    FOR k IN 1 .. array_length(q, 1) / 2 LOOP
      v := sky_vector(q[2 * k - 1], q[2 * k]);
      held := held AND CASE WHEN o[1] = 'C' THEN sky_near(sky_vector(p[1], p[2]), v, p[3]) ELSE sky_inside(v, p) END;
    END LOOP;
    IF o[1] = 'A' THEN held := held AND NOT sky_cross_edges(p, q); END IF;
  ELSIF o[1] = 'C' THEN
    held := sky_near(sky_vector(p[1], p[2]), v, p[3]);
  ELSE
    held := sky_inside(v, p);
    IF i[1] = 'C' THEN held := held AND sky_border(v, p) >= q[3]; END IF;
  END IF;
  RETURN held::int::bigint;
END""",
    "sky_intersects(first_told text, second_told text) RETURNS bigint": """
DECLARE a text[] := sky_region(first_told); b text[] := sky_region(second_told); p float8[]; q float8[]; v float8[];
BEGIN
  IF a IS NULL OR b IS NULL THEN RETURN NULL; END IF;
  IF a[1] = 'P' THEN RETURN sky_contains(second_told, first_told); END IF;
  IF b[1] = 'P' THEN RETURN sky_contains(first_told, second_told); END IF;
  p := a[2 : array_length(a, 1)]::float8[]; q := b[2 : array_length(b, 1)]::float8[];
  IF a[1] = 'C' AND b[1] = 'C' THEN
    RETURN (sky_away(sky_vector(p[1], p[2]), sky_vector(q[1], q[2])) <= p[3] + q[3])::int::bigint;
  ELSIF a[1] = 'C' THEN
    v := sky_vector(p[1], p[2]);
    RETURN (sky_inside(v, q) OR sky_border(v, q) <= p[3])::int::bigint;
  ELSIF b[1] = 'C' THEN
    v := sky_vector(q[1], q[2]);
    RETURN (sky_inside(v, p) OR sky_border(v, p) <= q[3])::int::bigint;
  END IF;
  RETURN (sky_inside(sky_vector(p[1], p[2]), q) OR sky_inside(sky_vector(q[1], q[2]), p)
    OR sky_cross_edges(p, q))::int::bigint;
END""",
    "sky_area(told text) RETURNS float8": """
DECLARE r text[] := sky_region(told); n float8[]; total float8 := 0; c float8[]; a float8[]; b float8[]; count int;
  square float8 := degrees(1.0::float8) * degrees(1.0::float8);
BEGIN
  IF r IS NULL THEN RETURN NULL; END IF;
  n := r[2 : array_length(r, 1)]::float8[];
  IF r[1] = 'P' THEN RETURN 0; END IF;
  IF r[1] = 'C' THEN RETURN 4 * pi() * square * sin(radians(n[3]) / 2) * sin(radians(n[3]) / 2); END IF;
  c := sky_middle(n); count := array_length(n, 1) / 2;
  FOR k IN 1 .. count LOOP
    a := sky_vector(n[2 * k - 1], n[2 * k]); b := sky_vector(n[2 * mod(k, count) + 1], n[2 * mod(k, count) + 2]);
    total := total + 2 * atan2(sky_dot(c, sky_cross(a, b)), 1 + sky_dot(c, a) + sky_dot(a, b) + sky_dot(b, c));
  END LOOP;
  RETURN abs(total) * square;
END""",
}


def upgrade() -> None:
    """Make them; SQLite is taught its own by `skysift.archive.sqlite`."""
    if op.get_bind().dialect.name == "postgresql":
        for head, body in _FUNCTIONS.items():
            op.get_bind().exec_driver_sql(f"CREATE OR REPLACE FUNCTION {head} {_HEAD}{body};\n$$")


def downgrade() -> None:
    """Remove them."""
    if op.get_bind().dialect.name == "postgresql":
        for head in reversed(list(_FUNCTIONS)):
            op.get_bind().exec_driver_sql(f"DROP FUNCTION IF EXISTS {head.split(' RETURNS')[0]}")
