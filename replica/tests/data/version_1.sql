-- A replica's database as version 1 wrote it. Never changed: it says that old data still opens.
BEGIN TRANSACTION;
CREATE TABLE body (
    number INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
);
INSERT INTO "body" VALUES(1,X'626F6479');
INSERT INTO "body" VALUES(2,X'6F6C64');
INSERT INTO "body" VALUES(3,X'6F6C64');
INSERT INTO "body" VALUES(4,X'6E6577');
INSERT INTO "body" VALUES(5,X'6669727374');
INSERT INTO "body" VALUES(6,X'7365636F6E64');
INSERT INTO "body" VALUES(7,X'6D696E65');
INSERT INTO "body" VALUES(8,X'746865697273');
CREATE TABLE committed (
    hash BLOB NOT NULL PRIMARY KEY
) WITHOUT ROWID;
INSERT INTO "committed" VALUES(X'C8550912F358C92D961D1948488A4433F13BAAA7EA8D04FECCFD21A46D07302B');
CREATE TABLE conflict (
    id TEXT NOT NULL PRIMARY KEY,
    sequence INTEGER NOT NULL,
    revision TEXT,
    digest BLOB,                        -- NULL: deleted
    length INTEGER NOT NULL,
    body INTEGER
) WITHOUT ROWID;
INSERT INTO "conflict" VALUES('conflicting',1,NULL,X'A92D7DD9A46E618535539ACD96358A90BA19EF14A3065E745C817C294ECBA78F',6,8);
CREATE TABLE document (
    id TEXT NOT NULL PRIMARY KEY,
    revision TEXT,
    digest BLOB,                        -- BLAKE3 of the body; NULL: deleted
    length INTEGER NOT NULL,            -- of the body, in bytes
    body INTEGER,                       -- NULL: not kept
    row INTEGER,                        -- the newest outbox row; NULL: nothing is pending
    base INTEGER,                       -- sequence number of the entry that the local version started from
    base_revision TEXT,
    base_body INTEGER,                  -- what that entry left, if something is pending; 0: a deletion; NULL: not kept
    base_length INTEGER NOT NULL DEFAULT 0,
    note BLOB                           -- the app's own
) WITHOUT ROWID;
INSERT INTO "document" VALUES('conflicting',NULL,X'EB3C4771AA8569B685DFDC9ABD26EFA43B2F0F0686E3FE3D8EA40475C14F3F5B',4,7,5,NULL,NULL,NULL,0,NULL);
INSERT INTO "document" VALUES('deleted',NULL,NULL,0,NULL,2,1,NULL,3,3,NULL);
INSERT INTO "document" VALUES('edited',NULL,X'B20AB0A020A48D349E0C64D109C441F87C9BC43D49FC701C4A5F6F1B16AA4E32',3,4,1,1,NULL,2,3,NULL);
INSERT INTO "document" VALUES('sent',NULL,X'CD85637651EC7A557BDDD61C5DDD1DF21AD8BBBAF6C3C098482B3ED1C1014964',6,6,4,NULL,NULL,NULL,0,NULL);
INSERT INTO "document" VALUES('synced','r1',X'0BE9C598AE63835518E7FB422DC3027F452D75F3DBDB94C90D843298B1180AD9',4,1,NULL,1,'r1',NULL,0,X'61206E6F7465');
CREATE TABLE engine (
    key INTEGER PRIMARY KEY,
    value BLOB NOT NULL
);
INSERT INTO "engine" VALUES(1,X'7374617465');
INSERT INTO "engine" VALUES(2,X'7B226E756D626572223A312C2273657175656E6365223A322C22726F7773223A5B5B332C335D5D7D0A656E7472792032');
INSERT INTO "engine" VALUES(3,X'0000000000000005');
CREATE TABLE flight (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL
);
INSERT INTO "flight" VALUES(3,3);
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY,         -- counted in `engine`, so that none is used twice
    id TEXT NOT NULL,
    previous INTEGER,                   -- the document's row before this; it may be gone
    digest BLOB,                        -- NULL: deleted
    revision TEXT,
    body INTEGER,                       -- of a superseded row that was in an attempt; the newest one's is the document's
    length INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "outbox" VALUES(1,'edited',NULL,X'B20AB0A020A48D349E0C64D109C441F87C9BC43D49FC701C4A5F6F1B16AA4E32',NULL,NULL,0);
INSERT INTO "outbox" VALUES(2,'deleted',NULL,NULL,NULL,NULL,0);
INSERT INTO "outbox" VALUES(3,'sent',NULL,X'22896BCBC3D1C76A0B90C4C3523DBEA532AD63196FAFDBD52CCED52200D3DAE4',NULL,5,5);
INSERT INTO "outbox" VALUES(4,'sent',3,X'CD85637651EC7A557BDDD61C5DDD1DF21AD8BBBAF6C3C098482B3ED1C1014964',NULL,NULL,0);
INSERT INTO "outbox" VALUES(5,'conflicting',NULL,X'EB3C4771AA8569B685DFDC9ABD26EFA43B2F0F0686E3FE3D8EA40475C14F3F5B',NULL,NULL,0);
COMMIT;
PRAGMA application_id = 1279742792;
PRAGMA user_version = 1;
