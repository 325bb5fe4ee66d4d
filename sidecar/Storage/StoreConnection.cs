using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace DaprPlatform.Sidecar.Storage;

/// <summary>A connection that keeps the statements it has prepared. Like every SQLite connection it serves one thread at a time.</summary>
internal sealed class StoreConnection(string connectionString) : SqliteConnection(connectionString)
{
    private readonly Dictionary<string, StoreStatement> _statements = new(StringComparer.Ordinal);

    /// <summary>The statement of this text, prepared at its first use. It belongs to the connection: bind, run, never dispose.</summary>
    public StoreStatement Prepared(string sql)
    {
        if (_statements.TryGetValue(sql, out var statement))
            return statement;
        statement = new StoreStatement(Handle!, sql);
        _statements.Add(sql, statement);
        return statement;
    }

    /// <summary>Runs statements that are needed once, such as pragmas and migrations.</summary>
    public void Execute(string sql)
    {
        using var command = CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (var statement in _statements.Values)
                statement.Dispose();
            _statements.Clear();
        }

        base.Dispose(disposing);
    }
}

/// <summary>
/// A prepared statement without ADO.NET around it, for paths where that would cost more than SQLite itself. Parameters count from 1, columns from 0;
/// <see cref="Run"/> and <see cref="Reset"/> make it ready for the next use. Errors are <see cref="SqliteException"/>.
/// </summary>
internal sealed class StoreStatement : IDisposable
{
    private readonly sqlite3 _database;
    private readonly sqlite3_stmt _statement;

    public StoreStatement(sqlite3 database, string sql)
    {
        _database = database;
        SqliteException.ThrowExceptionForRC(raw.sqlite3_prepare_v2(database, sql, out _statement), database);
    }

    public StoreStatement Bind(int parameter, long value)
    {
        Check(raw.sqlite3_bind_int64(_statement, parameter, value));
        return this;
    }

    public StoreStatement Bind(int parameter, long? value) => value is { } number ? Bind(parameter, number) : BindNull(parameter);

    public StoreStatement Bind(int parameter, string? text)
    {
        if (text is null)
            return BindNull(parameter);
        Span<byte> buffer = stackalloc byte[512];
        return Encoding.UTF8.TryGetBytes(text, buffer, out var written) ? BindText(parameter, buffer[..written]) : BindText(parameter, Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Text that is UTF-8 already.</summary>
    public StoreStatement BindText(int parameter, ReadOnlySpan<byte> utf8)
    {
        // The binding takes the address of an empty span for null.
        Check(utf8.IsEmpty ? raw.sqlite3_bind_text(_statement, parameter, "") : raw.sqlite3_bind_text(_statement, parameter, utf8));
        return this;
    }

    public StoreStatement BindBlob(int parameter, ReadOnlySpan<byte> bytes)
    {
        Check(bytes.IsEmpty ? raw.sqlite3_bind_zeroblob(_statement, parameter, 0) : raw.sqlite3_bind_blob(_statement, parameter, bytes));
        return this;
    }

    public StoreStatement BindNull(int parameter)
    {
        Check(raw.sqlite3_bind_null(_statement, parameter));
        return this;
    }

    /// <summary>Runs a statement to its end and returns how many rows it changed.</summary>
    public int Run()
    {
        var result = raw.sqlite3_step(_statement);
        while (result == raw.SQLITE_ROW)
            result = raw.sqlite3_step(_statement);
        if (result != raw.SQLITE_DONE)
            Fail(result);
        var changes = raw.sqlite3_changes(_database);
        Reset();
        return changes;
    }

    /// <summary>The next row; false at the end, and then the statement is reset.</summary>
    public bool Read()
    {
        var result = raw.sqlite3_step(_statement);
        if (result == raw.SQLITE_ROW)
            return true;
        if (result != raw.SQLITE_DONE)
            Fail(result);
        Reset();
        return false;
    }

    public bool IsNull(int column) => raw.sqlite3_column_type(_statement, column) == raw.SQLITE_NULL;

    public long Integer(int column) => raw.sqlite3_column_int64(_statement, column);

    public string Text(int column) => raw.sqlite3_column_text(_statement, column).utf8_to_string() ?? "";

    /// <summary>The bytes of a blob or a text; valid until the next step.</summary>
    public ReadOnlySpan<byte> Bytes(int column) => raw.sqlite3_column_blob(_statement, column);

    /// <summary>Ends a read before its last row and forgets the parameters, so that no large value stays bound.</summary>
    public void Reset()
    {
        _ = raw.sqlite3_reset(_statement);
        _ = raw.sqlite3_clear_bindings(_statement);
    }

    public void Dispose() => _statement.Dispose();

    private void Check(int result)
    {
        if (result != raw.SQLITE_OK)
            Fail(result);
    }

    private void Fail(int result)
    {
        try
        {
            SqliteException.ThrowExceptionForRC(result, _database);
        }
        finally
        {
            Reset();
        }
    }
}
