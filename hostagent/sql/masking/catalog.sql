WITH RECURSIVE
path(name, place) AS (
  SELECT p.name, p.place
  FROM ROWS FROM (pg_catalog.unnest(pg_catalog.current_schemas(true))) WITH ORDINALITY AS p(name, place)
),
asked(schema, name) AS (
  SELECT a.schema, a.name
  FROM ROWS FROM (pg_catalog.unnest(:asked_schemas), pg_catalog.unnest(:asked_names)) AS a(schema, name)
),
found(schema, name, oid) AS (
  SELECT a.schema, a.name, (
    SELECT c.oid
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    LEFT JOIN path AS p ON p.name OPERATOR(pg_catalog.=) n.nspname
    WHERE c.relname OPERATOR(pg_catalog.=) a.name::pg_catalog.name
      AND CASE
        WHEN a.schema OPERATOR(pg_catalog.=) '' THEN p.place IS NOT NULL
        WHEN a.schema OPERATOR(pg_catalog.=) 'pg_temp' THEN n.oid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()
        ELSE n.nspname OPERATOR(pg_catalog.=) a.schema::pg_catalog.name
      END
    ORDER BY p.place LIMIT 1
  )
  FROM asked AS a
),
needed(oid) AS (
  SELECT f.oid FROM found AS f WHERE f.oid IS NOT NULL
  UNION
  SELECT d.refobjid
  FROM needed AS x
  JOIN pg_catalog.pg_class AS v ON v.oid OPERATOR(pg_catalog.=) x.oid
    AND v.relkind OPERATOR(pg_catalog.=) ANY ('{v,m}'::pg_catalog."char"[])
    AND v.relnamespace OPERATOR(pg_catalog.<>) ALL (ARRAY(
      SELECT s.oid FROM pg_catalog.pg_namespace AS s
      WHERE s.nspname OPERATOR(pg_catalog.=) ANY ('{pg_catalog,information_schema}'::pg_catalog.name[])))
  JOIN pg_catalog.pg_rewrite AS r ON r.ev_class OPERATOR(pg_catalog.=) v.oid
  JOIN pg_catalog.pg_depend AS d ON d.objid OPERATOR(pg_catalog.=) r.oid
    AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.refobjid OPERATOR(pg_catalog.<>) v.oid
),
described(oid, description) AS (
  SELECT c.oid, pg_catalog.json_build_object(
    'oid', c.oid::pg_catalog.int8,
    'schema', n.nspname,
    'name', c.relname,
    'kind', c.relkind::pg_catalog.text,
    'rules', c.relhasrules AND c.relkind OPERATOR(pg_catalog.<>) ALL ('{v,m}'::pg_catalog."char"[]) OR (
      c.relkind OPERATOR(pg_catalog.=) 'v' AND EXISTS (
        SELECT FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid
          AND r.ev_type OPERATOR(pg_catalog.<>) '1')),
    'runs_on_read', CASE WHEN NOT own.system THEN (
      SELECT pg_catalog.json_agg(DISTINCT pg_catalog.jsonb_build_array(fn.nspname, f.proname, (
        SELECT e.extname FROM pg_catalog.pg_depend AS ed
        JOIN pg_catalog.pg_extension AS e ON e.oid OPERATOR(pg_catalog.=) ed.refobjid
        WHERE ed.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
          AND ed.objid OPERATOR(pg_catalog.=) f.oid AND ed.deptype OPERATOR(pg_catalog.=) 'e' LIMIT 1)))
      FROM (
        SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid FROM pg_catalog.pg_policy AS p
        WHERE p.polrelid OPERATOR(pg_catalog.=) c.oid AND c.relrowsecurity
        UNION ALL
        SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, r.oid FROM pg_catalog.pg_rewrite AS r
        WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid
      ) AS o(class, oid)
      JOIN pg_catalog.pg_depend AS d ON d.classid OPERATOR(pg_catalog.=) o.class AND d.objid OPERATOR(pg_catalog.=) o.oid
      LEFT JOIN pg_catalog.pg_operator AS op ON op.oid OPERATOR(pg_catalog.=) d.refobjid
        AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_operator'::pg_catalog.regclass
      JOIN pg_catalog.pg_proc AS f ON f.oid OPERATOR(pg_catalog.=) CASE
        WHEN d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass THEN d.refobjid ELSE op.oprcode::pg_catalog.oid END
      JOIN pg_catalog.pg_namespace AS fn ON fn.oid OPERATOR(pg_catalog.=) f.pronamespace
        AND fn.nspname OPERATOR(pg_catalog.<>) 'pg_catalog') END,
    'runs_on_write', CASE WHEN NOT own.system THEN (
      SELECT pg_catalog.json_agg(DISTINCT pg_catalog.jsonb_build_array(fn.nspname, f.proname, (
        SELECT e.extname FROM pg_catalog.pg_depend AS ed
        JOIN pg_catalog.pg_extension AS e ON e.oid OPERATOR(pg_catalog.=) ed.refobjid
        WHERE ed.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
          AND ed.objid OPERATOR(pg_catalog.=) f.oid AND ed.deptype OPERATOR(pg_catalog.=) 'e' LIMIT 1)))
      FROM (
        SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, x.oid FROM pg_catalog.pg_attrdef AS x
        WHERE x.adrelid OPERATOR(pg_catalog.=) ANY (kin.oids)
        UNION ALL
        SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, x.oid FROM pg_catalog.pg_constraint AS x
        WHERE x.conrelid OPERATOR(pg_catalog.=) ANY (kin.oids)
        UNION ALL
        SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, x.indexrelid FROM pg_catalog.pg_index AS x
        WHERE x.indrelid OPERATOR(pg_catalog.=) ANY (kin.oids)
        UNION ALL
        SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, x.oid FROM pg_catalog.pg_trigger AS x
        WHERE x.tgrelid OPERATOR(pg_catalog.=) ANY (kin.oids) AND NOT x.tgisinternal
        UNION ALL
        SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, x.oid
        FROM ROWS FROM (pg_catalog.unnest(kin.oids)) AS x(oid)
      ) AS o(class, oid)
      JOIN pg_catalog.pg_depend AS d ON d.classid OPERATOR(pg_catalog.=) o.class AND d.objid OPERATOR(pg_catalog.=) o.oid
      LEFT JOIN pg_catalog.pg_operator AS op ON op.oid OPERATOR(pg_catalog.=) d.refobjid
        AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_operator'::pg_catalog.regclass
      JOIN pg_catalog.pg_proc AS f ON f.oid OPERATOR(pg_catalog.=) CASE
        WHEN d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass THEN d.refobjid ELSE op.oprcode::pg_catalog.oid END
      JOIN pg_catalog.pg_namespace AS fn ON fn.oid OPERATOR(pg_catalog.=) f.pronamespace
        AND fn.nspname OPERATOR(pg_catalog.<>) 'pg_catalog') END,
    'types', CASE WHEN NOT own.system THEN (
      SELECT pg_catalog.json_agg(DISTINCT pg_catalog.jsonb_build_array(tn.nspname, t.typname))
      FROM pg_catalog.pg_attribute AS a
      JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) a.atttypid
      JOIN pg_catalog.pg_namespace AS tn ON tn.oid OPERATOR(pg_catalog.=) t.typnamespace
        AND tn.nspname OPERATOR(pg_catalog.<>) 'pg_catalog'
      WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped) END,
    'definition', CASE WHEN c.relkind OPERATOR(pg_catalog.=) ANY ('{v,m}'::pg_catalog."char"[]) AND NOT own.system
      THEN pg_catalog.pg_get_viewdef(c.oid) END,
    'uses', CASE WHEN c.relkind OPERATOR(pg_catalog.=) ANY ('{v,m}'::pg_catalog."char"[]) AND NOT own.system THEN (
      SELECT pg_catalog.json_agg(DISTINCT d.refobjid::pg_catalog.int8)
      FROM pg_catalog.pg_rewrite AS r
      JOIN pg_catalog.pg_depend AS d ON d.objid OPERATOR(pg_catalog.=) r.oid
        AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass
        AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.refobjid OPERATOR(pg_catalog.<>) c.oid
      WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid) END,
    'policies', CASE WHEN c.relrowsecurity THEN (
      SELECT pg_catalog.json_agg(e.text)
      FROM pg_catalog.pg_policy AS p
      CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(ARRAY[
        pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)
      ])) AS e(text)
      WHERE p.polrelid OPERATOR(pg_catalog.=) c.oid AND e.text IS NOT NULL) END,
    'family', CASE WHEN NOT own.system THEN (
      SELECT pg_catalog.json_agg(pg_catalog.json_build_array(fn.nspname, fc.relname))
      FROM pg_catalog.pg_class AS fc
      JOIN pg_catalog.pg_namespace AS fn ON fn.oid OPERATOR(pg_catalog.=) fc.relnamespace
      WHERE fc.oid OPERATOR(pg_catalog.=) ANY (kin.oids) AND fc.oid OPERATOR(pg_catalog.<>) c.oid) END,
    'constraints', CASE WHEN NOT own.system THEN (
      SELECT pg_catalog.json_agg(pg_catalog.json_build_array(g.kind, g.names, g.other_schema, g.other_name, g.others))
      FROM (
        SELECT k.contype::pg_catalog.text, ARRAY(
            SELECT a.attname FROM pg_catalog.pg_attribute AS a WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid
              AND a.attnum OPERATOR(pg_catalog.=) ANY (k.conkey)),
          rn.nspname, rc.relname, ARRAY(
            SELECT a.attname FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid OPERATOR(pg_catalog.=) k.confrelid AND a.attnum OPERATOR(pg_catalog.=) ANY (k.confkey))
        FROM pg_catalog.pg_constraint AS k
        LEFT JOIN pg_catalog.pg_class AS rc ON rc.oid OPERATOR(pg_catalog.=) k.confrelid
        LEFT JOIN pg_catalog.pg_namespace AS rn ON rn.oid OPERATOR(pg_catalog.=) rc.relnamespace
        WHERE k.conrelid OPERATOR(pg_catalog.=) c.oid
          AND k.contype OPERATOR(pg_catalog.=) ANY ('{c,f}'::pg_catalog."char"[])
        UNION ALL
        SELECT 'u', ARRAY(
            SELECT a.attname FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND (
              a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey::pg_catalog.int2[]) OR EXISTS (
                SELECT FROM pg_catalog.pg_depend AS d
                WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND d.objid OPERATOR(pg_catalog.=) i.indexrelid
                  AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND d.refobjid OPERATOR(pg_catalog.=) c.oid AND d.refobjsubid OPERATOR(pg_catalog.=) a.attnum))),
          NULL, NULL, NULL
        FROM pg_catalog.pg_index AS i
        WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid AND (
          i.indisunique OR i.indisexclusion OR i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
      ) AS g(kind, names, other_schema, other_name, others)) END,
    'columns', CASE WHEN NOT own.system OR (
        n.nspname OPERATOR(pg_catalog.=) 'pg_catalog' AND c.relname OPERATOR(pg_catalog.=) ANY (
          '{pg_cursors,pg_prepared_statements,pg_stat_activity}'::pg_catalog.name[])) THEN (
      SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
        a.attnum::pg_catalog.int4,
        a.attname,
        CASE WHEN shape.modifiers IS NULL OR base.name OPERATOR(pg_catalog.=) 'pg_catalog."interval"'
          THEN base.name ELSE base.name OPERATOR(pg_catalog.||) shape.modifiers END,
        base.name,
        base.category::pg_catalog.text,
        a.attnotnull,
        CASE WHEN a.attcollation OPERATOR(pg_catalog.<>) base.collated
            AND a.attcollation OPERATOR(pg_catalog.<>) 0::pg_catalog.oid THEN (
          SELECT pg_catalog.quote_ident(ln.nspname) OPERATOR(pg_catalog.||) '.'
            OPERATOR(pg_catalog.||) pg_catalog.quote_ident(l.collname)
          FROM pg_catalog.pg_collation AS l
          JOIN pg_catalog.pg_namespace AS ln ON ln.oid OPERATOR(pg_catalog.=) l.collnamespace
          WHERE l.oid OPERATOR(pg_catalog.=) a.attcollation) END,
        a.attgenerated OPERATOR(pg_catalog.<>) '',
        CASE WHEN a.attgenerated OPERATOR(pg_catalog.<>) '' THEN (
          SELECT pg_catalog.json_agg(DISTINCT o.attname)
          FROM pg_catalog.pg_depend AS d
          JOIN pg_catalog.pg_attribute AS o ON o.attrelid OPERATOR(pg_catalog.=) c.oid
            AND o.attnum OPERATOR(pg_catalog.=) d.refobjsubid AND o.attnum OPERATOR(pg_catalog.<>) a.attnum
          WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
            AND d.refobjid OPERATOR(pg_catalog.=) c.oid
            AND CASE WHEN d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
              THEN d.objid OPERATOR(pg_catalog.=) c.oid AND d.objsubid OPERATOR(pg_catalog.=) a.attnum
              ELSE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_attrdef'::pg_catalog.regclass
                AND d.objid OPERATOR(pg_catalog.=) ANY (ARRAY(
                  SELECT e.oid FROM pg_catalog.pg_attrdef AS e WHERE e.adrelid OPERATOR(pg_catalog.=) c.oid
                    AND e.adnum OPERATOR(pg_catalog.=) a.attnum)) END) END,
        pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')
      ) ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute AS a
      CROSS JOIN LATERAL (
        WITH RECURSIVE domains(oid, modifier) AS (
          SELECT a.atttypid, a.atttypmod
          UNION ALL
          SELECT t.typbasetype, CASE WHEN o.modifier OPERATOR(pg_catalog.=) -1 THEN t.typtypmod ELSE o.modifier END
          FROM domains AS o
          JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) o.oid
          WHERE t.typtype OPERATOR(pg_catalog.=) 'd'
        )
        SELECT t.oid, o.modifier, t.typcategory, t.typcollation,
          pg_catalog.quote_ident(tn.nspname) OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||)
            pg_catalog.quote_ident(t.typname)
        FROM domains AS o
        JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) o.oid
          AND t.typtype OPERATOR(pg_catalog.<>) 'd'
        JOIN pg_catalog.pg_namespace AS tn ON tn.oid OPERATOR(pg_catalog.=) t.typnamespace
      ) AS base(oid, modifier, category, collated, name)
      CROSS JOIN LATERAL (
        SELECT pg_catalog."substring"(pg_catalog.format_type(base.oid, base.modifier), '[(][^)]*[)]')
      ) AS shape(modifiers)
      WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped) END
  )
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
  CROSS JOIN LATERAL (
    SELECT n.nspname OPERATOR(pg_catalog.=) ANY ('{pg_catalog,information_schema}'::pg_catalog.name[])
  ) AS own(system)
  CROSS JOIN LATERAL (
    SELECT ARRAY(
      WITH RECURSIVE family(oid) AS (
        SELECT c.oid
        UNION
        SELECT k.other
        FROM family AS f
        CROSS JOIN LATERAL (
          SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent OPERATOR(pg_catalog.=) f.oid
          UNION ALL
          SELECT i.inhparent FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid OPERATOR(pg_catalog.=) f.oid
        ) AS k(other)
      )
      SELECT f.oid FROM family AS f)
    OFFSET 0
  ) AS kin(oids)
  WHERE c.oid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT x.oid FROM needed AS x))
),
checking(type, function) AS (
  SELECT k.contypid, d.refobjid
  FROM pg_catalog.pg_constraint AS k
  JOIN pg_catalog.pg_depend AS d ON d.objid OPERATOR(pg_catalog.=) k.oid
    AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_constraint'::pg_catalog.regclass
    AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
  WHERE k.contypid OPERATOR(pg_catalog.<>) 0::pg_catalog.oid
),
running(type, function, casts) AS (
  SELECT x.type, x.function, false FROM checking AS x
  UNION
  SELECT c.reltype, x.function, false
  FROM checking AS x
  JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) x.type
  JOIN pg_catalog.pg_attribute AS a ON a.atttypid OPERATOR(pg_catalog.=) ANY (ARRAY[t.oid, t.typarray])
  JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
  UNION
  SELECT x.type, k.castfunc, true
  FROM pg_catalog.pg_cast AS k
  CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(ARRAY[k.castsource, k.casttarget])) AS x(type)
  WHERE k.castfunc OPERATOR(pg_catalog.<>) 0::pg_catalog.oid
),
types(schema, name, casts, function_schema, function_name, extension) AS (
  SELECT tn.nspname, t.typname, r.casts, fn.nspname, f.proname, (
    SELECT e.extname FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_extension AS e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
    WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
      AND d.objid OPERATOR(pg_catalog.=) f.oid AND d.deptype OPERATOR(pg_catalog.=) 'e' LIMIT 1)
  FROM running AS r
  JOIN pg_catalog.pg_proc AS f ON f.oid OPERATOR(pg_catalog.=) r.function
  JOIN pg_catalog.pg_namespace AS fn ON fn.oid OPERATOR(pg_catalog.=) f.pronamespace
    AND fn.nspname OPERATOR(pg_catalog.<>) 'pg_catalog'
  JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) r.type
  JOIN pg_catalog.pg_namespace AS tn ON tn.oid OPERATOR(pg_catalog.=) t.typnamespace
),
routines(name, rows) AS (
  SELECT a.name, (
    SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
      n.nspname,
      EXISTS (SELECT FROM path AS p WHERE p.name OPERATOR(pg_catalog.=) n.nspname),
      (SELECT e.extname FROM pg_catalog.pg_depend AS d
       JOIN pg_catalog.pg_extension AS e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
       WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
         AND d.objid OPERATOR(pg_catalog.=) f.oid AND d.deptype OPERATOR(pg_catalog.=) 'e' LIMIT 1),
      f.pronargs OPERATOR(pg_catalog.>) 0
        AND f.pronargs OPERATOR(pg_catalog.-) f.pronargdefaults OPERATOR(pg_catalog.<=) 1
        AND EXISTS (
          SELECT FROM pg_catalog.pg_type AS t WHERE t.oid OPERATOR(pg_catalog.=) (f.proargtypes::pg_catalog.oid[])[0]
            AND t.typtype OPERATOR(pg_catalog.=) ANY ('{c,p,d}'::pg_catalog."char"[]))
    ))
    FROM pg_catalog.pg_proc AS f
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) f.pronamespace
      AND n.nspname OPERATOR(pg_catalog.<>) 'pg_catalog'
    WHERE f.proname OPERATOR(pg_catalog.=) a.name::pg_catalog.name
  )
  FROM ROWS FROM (pg_catalog.unnest(:asked_functions)) AS a(name)
),
operators(name, rows) AS (
  SELECT a.name, (
    SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
      n.nspname,
      EXISTS (SELECT FROM path AS p WHERE p.name OPERATOR(pg_catalog.=) n.nspname),
      (SELECT e.extname FROM pg_catalog.pg_depend AS d
       JOIN pg_catalog.pg_extension AS e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
       WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_operator'::pg_catalog.regclass
         AND d.objid OPERATOR(pg_catalog.=) o.oid AND d.deptype OPERATOR(pg_catalog.=) 'e' LIMIT 1),
      EXISTS (
        SELECT FROM pg_catalog.pg_type AS t
        JOIN pg_catalog.pg_namespace AS tn ON tn.oid OPERATOR(pg_catalog.=) t.typnamespace
        WHERE t.oid OPERATOR(pg_catalog.=) ANY (ARRAY[o.oprleft, o.oprright])
          AND tn.nspname OPERATOR(pg_catalog.<>) 'pg_catalog')
    ))
    FROM pg_catalog.pg_operator AS o
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace
      AND n.nspname OPERATOR(pg_catalog.<>) 'pg_catalog'
    WHERE o.oprname OPERATOR(pg_catalog.=) a.name::pg_catalog.name
  )
  FROM ROWS FROM (pg_catalog.unnest(:asked_operators)) AS a(name)
)
SELECT pg_catalog.json_build_object(
  'schemas', (SELECT COALESCE(pg_catalog.json_agg(p.name ORDER BY p.place), '[]') FROM path AS p),
  'found', (SELECT COALESCE(pg_catalog.json_agg(
      pg_catalog.json_build_array(f.schema, f.name, f.oid::pg_catalog.int8)), '[]') FROM found AS f),
  'relations', (SELECT COALESCE(pg_catalog.json_agg(d.description), '[]') FROM described AS d),
  'types', (SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_array(
      t.schema, t.name, t.casts, t.function_schema, t.function_name, t.extension)), '[]') FROM types AS t),
  'functions', (SELECT COALESCE(pg_catalog.json_agg(
      pg_catalog.json_build_array(r.name, r.rows)), '[]') FROM routines AS r),
  'operators', (SELECT COALESCE(pg_catalog.json_agg(
      pg_catalog.json_build_array(o.name, o.rows)), '[]') FROM operators AS o)
)::pg_catalog.text
