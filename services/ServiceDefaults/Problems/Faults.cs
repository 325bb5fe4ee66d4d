using Dapr;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace DaprPlatform.ServiceDefaults.Problems;

/// <summary>Tells what a failure of the database or the sidecar means.</summary>
public static class Faults
{
    /// <summary>The same call may succeed later: connection lost, server starting or stopping, deadlock, serialisation failure, pool exhausted.</summary>
    public static bool IsTransient(Exception exception) =>
        exception switch
        {
            PostgresException pg => pg.IsTransient || pg.SqlState is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown
                or PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure,
            NpgsqlException => true,
            DaprException => true,
            TimeoutException => true,
            DbUpdateConcurrencyException => true,
            _ => exception.InnerException is { } inner && IsTransient(inner),
        };

    /// <summary>A unique index said no; the name of its constraint is given.</summary>
    public static bool IsUniqueViolation(Exception exception, string constraint) =>
        exception switch
        {
            PostgresException pg => pg.SqlState == PostgresErrorCodes.UniqueViolation && pg.ConstraintName == constraint,
            _ => exception.InnerException is { } inner && IsUniqueViolation(inner, constraint),
        };
}
