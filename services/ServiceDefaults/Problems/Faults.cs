using System.Net.Sockets;
using Dapr;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DaprPlatform.ServiceDefaults.Problems;

/// <summary>Tells what a failure of the database or the sidecar means.</summary>
public static class Faults
{
    private const string IdleInTransactionTimeout = "25P03";
    private const string IdleSessionTimeout = "57P05";

    /// <summary>The same call may succeed later: connection lost or closed under the call, server starting or stopping, deadlock, serialisation failure, pool exhausted, time over.</summary>
    /// <remarks>A cancellation counts too: who was cancelled by the caller asks before, and any other one was a time limit on the way.</remarks>
    public static bool IsTransient(Exception exception) =>
        exception switch
        {
            PostgresException pg => pg.IsTransient || IsTransient(pg.SqlState),
            NpgsqlException => true,
            // What Npgsql says of a connection that broke between two uses: closed, disposed of, its transaction completed.
            ObjectDisposedException or InvalidOperationException { Source: "Npgsql" } => true,
            DaprException => true,
            TimeoutException => true,
            IOException or SocketException or HttpRequestException => true,
            OperationCanceledException => true,
            DbUpdateConcurrencyException => true,
            AggregateException many => many.InnerExceptions.Any(IsTransient),
            _ => exception.InnerException is { } inner && IsTransient(inner),
        };

    /// <summary>A unique index said no; the name of its constraint is given.</summary>
    public static bool IsUniqueViolation(Exception exception, string constraint) =>
        exception switch
        {
            PostgresException pg => pg.SqlState == PostgresErrorCodes.UniqueViolation && pg.ConstraintName == constraint,
            _ => exception.InnerException is { } inner && IsUniqueViolation(inner, constraint),
        };

    // By class where all of it is (https://www.postgresql.org/docs/current/errcodes-appendix.html): connection, rollback, resources, system; of an operator's interventions all but the loss of the database.
    private static bool IsTransient(string state) =>
        state is ['0', '8', ..] or ['4', '0', ..] or ['5', '3', ..] or ['5', '8', ..] or PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled
            or PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow or IdleSessionTimeout
            or PostgresErrorCodes.InFailedSqlTransaction or IdleInTransactionTimeout;
}
