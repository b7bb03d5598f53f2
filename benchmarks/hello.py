"""The measure: FastAPI and psycopg say hello from the database, under the same server, log and pool, and no more."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool

POOL = AsyncConnectionPool(
    os.environ["DATABASE_URL"],
    kwargs={"autocommit": True, "prepare_threshold": None},
    min_size=2,
    max_size=20,
    open=False,
)


@asynccontextmanager
async def opened(_: FastAPI) -> AsyncIterator[None]:
    await POOL.open()
    yield
    await POOL.close()


app = FastAPI(lifespan=opened)


@app.get("/hello")
async def hello() -> dict[str, str]:
    async with POOL.connection() as connection:
        row = await (await connection.execute("SELECT 'hello from the database'")).fetchone()
    return {"message": row[0]}


uvicorn.run(app, host="127.0.0.1", port=int(os.environ["API_SERVICE_PORT"]), access_log=False, log_level="warning")
