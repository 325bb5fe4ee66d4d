using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Data.Sqlite;

namespace DaprPlatform.Sidecar.Storage;

/// <summary>
/// One SQLite database in WAL mode with <c>synchronous=FULL</c>. All writes go through one writer thread that commits everything waiting as one
/// transaction (group commit): the task of a write completes after the commit that holds it, so what was acknowledged is on the disk.
/// Reads run on pooled reader connections and see the last commit. Thread-safe.
/// </summary>
internal sealed class DurableStore : IAsyncDisposable
{
    private const int LargestGroup = 512;

    private readonly string _connectionString;
    private readonly Channel<Work> _queue = Channel.CreateUnbounded<Work>(new UnboundedChannelOptions { SingleReader = true });
    private readonly ConcurrentBag<SqliteConnection> _readers = [];
    private readonly SqliteConnection _writer;
    private readonly Thread _thread;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private DurableStore(string path, string connectionString, SqliteConnection writer)
    {
        Path = path;
        _connectionString = connectionString;
        _writer = writer;
        _thread = new Thread(WriteLoop) { IsBackground = true, Name = "store writer" };
        _thread.Start();
    }

    /// <summary>The database file.</summary>
    public string Path { get; }

    /// <summary>Opens or creates the database. Throws <see cref="StoreException"/> when the file is locked by another runtime or is no database.</summary>
    public static DurableStore Open(string path)
    {
        SQLitePCL.Batteries_V2.Init();
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!);
        var connectionString = new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, DefaultTimeout = 5 }.ToString();
        var writer = new SqliteConnection(connectionString);
        try
        {
            writer.Open();
            Execute(writer, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-16000; PRAGMA temp_store=MEMORY;");
            return new DurableStore(path, connectionString, writer);
        }
        catch (SqliteException e)
        {
            writer.Dispose();
            throw new StoreException($"cannot open the database {path}: {e.Message}", e);
        }
    }

    /// <summary>Runs SQL that creates tables; call before the first write of an area.</summary>
    public Task MigrateAsync(string sql) => WriteAsync(connection => Execute(connection, sql));

    /// <summary>Queues a write; completes after its commit. When the work throws, its own changes are rolled back, the rest of the group stands.</summary>
    public Task WriteAsync(Action<SqliteConnection> work) => WriteAsync<object?>(connection =>
    {
        work(connection);
        return null;
    });

    /// <inheritdoc cref="WriteAsync(Action{SqliteConnection})"/>
    public Task<T> WriteAsync<T>(Func<SqliteConnection, T> work)
    {
        var item = new Work<T>(work);
        if (!_queue.Writer.TryWrite(item))
            item.Fail(new ObjectDisposedException(nameof(DurableStore)));
        return item.Task;
    }

    /// <summary>Reads on a pooled connection; sees the last commit.</summary>
    public T Read<T>(Func<SqliteConnection, T> read)
    {
        if (!_readers.TryTake(out var connection))
        {
            connection = new SqliteConnection(_connectionString);
            connection.Open();
            Execute(connection, "PRAGMA query_only=1; PRAGMA busy_timeout=5000; PRAGMA cache_size=-4000;");
        }

        try
        {
            return read(connection);
        }
        finally
        {
            _readers.Add(connection);
        }
    }

    public async ValueTask DisposeAsync()
    {
        _queue.Writer.TryComplete();
        await _stopped.Task.ConfigureAwait(false);
        while (_readers.TryTake(out var reader))
            reader.Dispose();
        _writer.Dispose();
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    private void WriteLoop()
    {
        var group = new List<Work>(LargestGroup);
        using var begin = Prepared("BEGIN IMMEDIATE");
        using var commit = Prepared("COMMIT");
        using var rollback = Prepared("ROLLBACK");
        using var save = Prepared("SAVEPOINT one");
        using var release = Prepared("RELEASE one");
        using var undo = Prepared("ROLLBACK TO one; RELEASE one");
        try
        {
            while (_queue.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
            {
                group.Clear();
                while (group.Count < LargestGroup && _queue.Reader.TryRead(out var next))
                    group.Add(next);
                Commit(group);
            }
        }
        finally
        {
            _stopped.TrySetResult();
        }

        void Commit(List<Work> works)
        {
            try
            {
                begin.ExecuteNonQuery();
                foreach (var work in works)
                {
                    save.ExecuteNonQuery();
                    try
                    {
                        work.Run(_writer);
                        release.ExecuteNonQuery();
                    }
                    catch (Exception e) when (e is not SqliteException { SqliteErrorCode: 10 or 11 or 13 }) // I/O error, corrupt, full: the whole group is lost
                    {
                        undo.ExecuteNonQuery();
                        work.Fail(e);
                    }
                }

                commit.ExecuteNonQuery();
            }
            catch (Exception e)
            {
                var failure = new StoreException($"cannot write to the database {Path}: {e.Message}", e);
                try
                {
                    rollback.ExecuteNonQuery();
                }
                catch (SqliteException)
                {
                    // SQLite has rolled back by itself.
                }

                foreach (var work in works)
                    work.Fail(failure);
                return;
            }

            foreach (var work in works)
                work.Complete();
        }
    }

    private SqliteCommand Prepared(string sql)
    {
        var command = _writer.CreateCommand();
        command.CommandText = sql;
        return command;
    }

    private abstract class Work
    {
        public abstract void Run(SqliteConnection connection);

        public abstract void Complete();

        public abstract void Fail(Exception error);
    }

    private sealed class Work<T>(Func<SqliteConnection, T> work) : Work
    {
        private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private T _result = default!;

        public Task<T> Task => _done.Task;

        public override void Run(SqliteConnection connection) => _result = work(connection);

        public override void Complete() => _done.TrySetResult(_result);

        public override void Fail(Exception error) => _done.TrySetException(error);
    }
}

/// <summary>The durable store cannot be opened or written; the message names the file.</summary>
internal sealed class StoreException(string message, Exception inner) : Exception(message, inner);
