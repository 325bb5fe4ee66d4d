using System.Data;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DaprPlatform.ServiceDefaults.Data;

/// <summary>
/// A whole change as one statement: outside of a transaction it takes effect, with everything it writes, in one trip to the database or not at all. For the few
/// steps that every order takes; the entities stay the way to write everything else.
/// </summary>
public static class SingleStatement
{
    /// <summary>Runs the statement; parameters are <c>$1</c>, <c>$2</c>, … in the order given, null is the database's.</summary>
    /// <param name="db">Whose connection, and transaction if there is one.</param>
    /// <param name="sql">The statement.</param>
    /// <param name="parameters">Of types that Npgsql knows; times in UTC.</param>
    /// <param name="read">Makes a result of a row.</param>
    /// <param name="cancellationToken">Ends the try; what was sent may have happened.</param>
    /// <returns>The first row; default when there is none.</returns>
    /// <exception cref="NpgsqlException">The database refuses, or is away.</exception>
    public static async Task<T?> FirstAsync<T>(this DbContext db, string sql, object?[] parameters, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken)
    {
        var first = default(T);
        var found = false;
        await db.EachAsync(sql, parameters, row =>
        {
            if (!found)
                first = read(row);
            found = true;
        }, cancellationToken);
        return first;
    }

    /// <summary>Runs the statement as <see cref="FirstAsync"/> does, and shows each of its rows.</summary>
    /// <param name="db">Whose connection, and transaction if there is one.</param>
    /// <param name="sql">The statement.</param>
    /// <param name="parameters">Of types that Npgsql knows; times in UTC.</param>
    /// <param name="row">Called for each row.</param>
    /// <param name="cancellationToken">Ends the try; what was sent may have happened.</param>
    /// <exception cref="NpgsqlException">The database refuses, or is away.</exception>
    public static async Task EachAsync(this DbContext db, string sql, object?[] parameters, Action<NpgsqlDataReader> row, CancellationToken cancellationToken)
    {
        var connection = (NpgsqlConnection)db.Database.GetDbConnection();
        await db.Database.OpenConnectionAsync(cancellationToken);
        try
        {
            await using var command = new NpgsqlCommand(sql, connection);
            foreach (var parameter in parameters)
                command.Parameters.Add(new NpgsqlParameter { Value = parameter ?? DBNull.Value });
            await using var reader = await command.ExecuteReaderAsync(CommandBehavior.Default, cancellationToken);
            // To the end: a statement may fail behind its first row.
            while (await reader.ReadAsync(cancellationToken))
                row(reader);
        }
        finally
        {
            await db.Database.CloseConnectionAsync();
        }
    }
}
