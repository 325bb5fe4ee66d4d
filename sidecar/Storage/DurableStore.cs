using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;

namespace DaprPlatform.Sidecar.Storage;

/// <summary>How a database is opened.</summary>
internal sealed record DurableStoreOptions
{
    /// <summary>Refuse to open when another process has the database open this way. For stores of which a copy is kept in memory.</summary>
    public bool Exclusive { get; init; }

    /// <summary>False uses a rollback journal, for file systems without shared memory.</summary>
    public bool WriteAheadLog { get; init; } = true;

    /// <summary>Make the folder where it is missing. False: that is an error, as for a file that users name.</summary>
    public bool CreatesFolder { get; init; } = true;

    /// <summary>How long to wait for a lock that another process holds.</summary>
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>
/// One SQLite database in WAL mode with <c>synchronous=FULL</c>. All writes go through one writer thread that commits everything waiting as one
/// transaction (group commit): the task of a write completes after the commit that holds it, so what was acknowledged is on the disk.
/// Reads run on pooled reader connections and see the last commit. Thread-safe.
/// </summary>
internal sealed class DurableStore : IAsyncDisposable
{
    /// <summary>Path of a database without a file; it ends with the store.</summary>
    public const string InMemory = ":memory:";

    private const int LargestGroup = 512;
    private const string ShrinkMemory = "PRAGMA shrink_memory";

    private readonly string _connectionString;
    private readonly DurableStoreOptions _options;
    private readonly ConcurrentBag<StoreConnection> _readers = [];
    private readonly StoreConnection _writer;
    private readonly FileStream? _ownership;
    private readonly object _gate = new();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private List<StoreWork> _waiting = [];
    private bool _closing;
    private StoreException? _broken;

    private DurableStore(string path, string connectionString, DurableStoreOptions options, StoreConnection writer, FileStream? ownership)
    {
        Path = path;
        _connectionString = connectionString;
        _options = options;
        _writer = writer;
        _ownership = ownership;
        new Thread(WriteLoop) { IsBackground = true, Name = "store writer" }.Start();
        StoreMemory.Add(this);
    }

    /// <summary>The database file.</summary>
    public string Path { get; }

    /// <summary>
    /// Opens or creates the database. Throws <see cref="StoreException"/> when the folder cannot be made, the file is no database, or another process has it.
    /// </summary>
    public static DurableStore Open(string path, DurableStoreOptions? options = null)
    {
        options ??= new DurableStoreOptions();
        SQLitePCL.Batteries_V2.Init();
        SqliteSleep.Mend();
        var memory = path == InMemory;
        FileStream? ownership = null;
        StoreConnection? writer = null;
        try
        {
            if (!memory && options.CreatesFolder)
                Directory.CreateDirectory(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!);
            if (options.Exclusive)
                ownership = Own(path);
            var connectionString = new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, DefaultTimeout = 5 }.ToString();
            writer = new StoreConnection(connectionString);
            writer.Open();
            writer.Execute($"PRAGMA busy_timeout={(int)options.BusyTimeout.TotalMilliseconds};");
            writer.Execute($"PRAGMA journal_mode={(options.WriteAheadLog || memory ? "WAL" : "DELETE")};");
            writer.Execute("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000; PRAGMA cache_size=-8000; PRAGMA temp_store=MEMORY;");
            return new DurableStore(path, connectionString, options, writer, ownership);
        }
        catch (Exception e) when (e is SqliteException or IOException or UnauthorizedAccessException)
        {
            writer?.Dispose();
            ownership?.Dispose();
            throw e is StoreException ? e : new StoreException($"cannot open the database {path}: {e.Message}", e);
        }
    }

    /// <summary>Runs SQL that creates tables; call before the first write of an area.</summary>
    public Task MigrateAsync(string sql) => WriteAsync(connection => connection.Execute(sql));

    /// <summary>Queues a write; completes after its commit. When the work throws, its own changes are rolled back, the rest of the group stands.</summary>
    /// <exception cref="StoreException">The group could not be committed: nothing of it is written.</exception>
    public Task WriteAsync(Action<StoreConnection> work) => WriteAsync<object?>(connection =>
    {
        work(connection);
        return null;
    });

    /// <inheritdoc cref="WriteAsync(Action{StoreConnection})"/>
    public Task<T> WriteAsync<T>(Func<StoreConnection, T> work)
    {
        var item = new StoreWork<T>(work);
        Enqueue(item);
        return item.Task;
    }

    /// <summary>Queues a write of one's own kind.</summary>
    public void Enqueue(StoreWork work)
    {
        Exception? refusal;
        lock (_gate)
        {
            refusal = _broken ?? (_closing ? new ObjectDisposedException(nameof(DurableStore)) : (Exception?)null);
            if (refusal is null)
            {
                _waiting.Add(work);
                if (_waiting.Count == 1)
                    Monitor.Pulse(_gate);
            }
        }

        if (refusal is not null)
            work.Fail(refusal);
    }

    /// <summary>Reads on a pooled connection; sees the last commit. Not for a database in memory.</summary>
    /// <param name="snapshot">All statements see one moment.</param>
    /// <exception cref="StoreException">The file cannot be read.</exception>
    public T Read<T>(Func<StoreConnection, T> read, bool snapshot = false)
    {
        if (!_readers.TryTake(out var connection))
        {
            connection = new StoreConnection(_connectionString);
            connection.Open();
            connection.Execute($"PRAGMA query_only=1; PRAGMA busy_timeout={(int)_options.BusyTimeout.TotalMilliseconds}; PRAGMA cache_size=-1000;");
        }

        try
        {
            if (!snapshot)
                return read(connection);
            connection.Prepared("BEGIN").Run();
            try
            {
                return read(connection);
            }
            finally
            {
                connection.Prepared("COMMIT").Run();
            }
        }
        catch (SqliteException e) when (Cause(e) is { } cause)
        {
            throw new StoreException($"cannot read the database {Path}: {cause}", e);
        }
        finally
        {
            _readers.Add(connection);
        }
    }

    /// <summary>As <see cref="Read"/>, but works for a database in memory too, which only the writer thread can see.</summary>
    public ValueTask<T> ReadAsync<T>(Func<StoreConnection, T> read, bool snapshot = false) =>
        Path == InMemory ? new ValueTask<T>(WriteAsync(read)) : ValueTask.FromResult(Read(read, snapshot));

    /// <summary>Empties the page caches of its connections. Does nothing where the store is closing or broken.</summary>
    public async Task ReleaseMemoryAsync()
    {
        var readers = new List<StoreConnection>();
        while (_readers.TryTake(out var reader))
            readers.Add(reader);
        try
        {
            foreach (var reader in readers)
                reader.Execute(ShrinkMemory);
            await WriteAsync(static connection => connection.Execute(ShrinkMemory)).ConfigureAwait(false);
        }
        catch (Exception e) when (e is StoreException or SqliteException or ObjectDisposedException)
        {
            // Whoever needs the file will say so.
        }
        finally
        {
            readers.ForEach(_readers.Add);
        }
    }

    /// <summary>Commits what is queued, then closes the file.</summary>
    public async ValueTask DisposeAsync()
    {
        StoreMemory.Remove(this);
        lock (_gate)
        {
            _closing = true;
            Monitor.Pulse(_gate);
        }

        await _stopped.Task.ConfigureAwait(false);
        while (_readers.TryTake(out var reader))
            reader.Dispose();
        if (_ownership is not null)
            await _ownership.DisposeAsync().ConfigureAwait(false);
    }

    // The lock is the kernel's and ends with the process, however it ends.
    private static FileStream Own(string path)
    {
        try
        {
            return new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e is not (DirectoryNotFoundException or PathTooLongException))
        {
            throw new StoreException($"the database {path} is in use by another process; one runtime at a time can have it", e);
        }
    }

    // What went wrong with the file itself, in words; null: the statement's own fault.
    private static string? Cause(SqliteException e) => e.SqliteErrorCode switch
    {
        5 or 6 => "it is locked by another process",
        8 => "it is read-only",
        10 => $"input/output error ({e.SqliteExtendedErrorCode})",
        11 => "the file is damaged",
        13 => "the disk is full",
        14 => "the file cannot be opened",
        26 => "the file is no database",
        _ => null,
    };

    private void WriteLoop()
    {
        var group = new List<StoreWork>(LargestGroup);
        try
        {
            while (Take(group))
            {
                Commit(group);
                group.Clear();
            }
        }
        finally
        {
            _writer.Dispose();
            _stopped.TrySetResult();
        }
    }

    private bool Take(List<StoreWork> group)
    {
        lock (_gate)
        {
            while (_waiting.Count == 0)
            {
                if (_closing)
                    return false;
                Monitor.Wait(_gate);
            }

            if (_waiting.Count <= LargestGroup)
            {
                group.AddRange(_waiting);
                _waiting.Clear();
            }
            else
            {
                group.AddRange(_waiting.GetRange(0, LargestGroup));
                _waiting.RemoveRange(0, LargestGroup);
            }

            return true;
        }
    }

    private void Commit(List<StoreWork> group)
    {
        var committed = 0;
        try
        {
            _writer.Prepared("BEGIN IMMEDIATE").Run();
            for (var i = 0; i < group.Count; i++)
            {
                if (Run(group[i]) is { } refusal)
                    group[i].Fail(refusal);
                else
                    group[committed++] = group[i];
            }

            group.RemoveRange(committed, group.Count - committed);
            _writer.Prepared("COMMIT").Run();
        }
        catch (Exception e)
        {
            var failure = new StoreException($"cannot write to the database {Path}: {(e is SqliteException s ? Cause(s) : null) ?? e.Message}", e);
            if (e is SqliteException { SqliteErrorCode: 10 })
                Break(failure);
            Rollback();
            foreach (var work in group)
                work.Fail(failure);
            return;
        }

        foreach (var work in group)
            work.Committed();
        foreach (var work in group)
            work.Complete();
    }

    // Null when the work has done its part; its refusal when it was taken back alone. Throws where the whole transaction is lost.
    private Exception? Run(StoreWork work)
    {
        if (!work.NeedsSavepoint)
        {
            try
            {
                work.Run(_writer);
                return null;
            }
            catch (Exception e) when (e is not SqliteException)
            {
                return e;
            }
        }

        _writer.Prepared("SAVEPOINT one").Run();
        try
        {
            work.Run(_writer);
            _writer.Prepared("RELEASE one").Run();
            return null;
        }
        catch (Exception e) when (e is not SqliteException s || Cause(s) is null)
        {
            _writer.Prepared("ROLLBACK TO one").Run();
            _writer.Prepared("RELEASE one").Run();
            return e;
        }
    }

    private void Rollback()
    {
        try
        {
            _writer.Prepared("ROLLBACK").Run();
        }
        catch (SqliteException)
        {
            // SQLite has rolled back by itself, or the transaction never began.
        }
    }

    // After a failed sync the kernel may have dropped the pages and call the next one a success: nothing written from here on could be trusted.
    private void Break(StoreException failure)
    {
        List<StoreWork> refused;
        lock (_gate)
        {
            _broken = failure;
            refused = _waiting;
            _waiting = [];
        }

        foreach (var work in refused)
            work.Fail(failure);
    }
}

/// <summary>The durable store cannot be opened, read or written; the message names the file and the reason.</summary>
internal sealed class StoreException(string message, Exception? inner = null) : IOException(message, inner);
