-- How often results came that no judgement has seen: outlives a coordinator that is killed before it judges them.
ALTER TABLE rounds ADD COLUMN unjudged INTEGER NOT NULL DEFAULT 0;
CREATE INDEX rounds_unjudged ON rounds (started_at) WHERE unjudged > 0;
