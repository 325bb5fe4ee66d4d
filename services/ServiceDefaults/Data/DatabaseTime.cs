namespace DaprPlatform.ServiceDefaults.Data;

public static class DatabaseTime
{
    /// <summary>The time as the database keeps it, for what is told before it is read back.</summary>
    public static DateTimeOffset ToMicroseconds(this DateTimeOffset time) => time.ToUniversalTime().AddTicks(-(time.UtcTicks % TimeSpan.TicksPerMicrosecond));
}
