using DaprPlatform.Sidecar.Components;

namespace DaprPlatform.Sidecar.Bindings;

internal static class BindingComponents
{
    public static IEnumerable<ComponentType> Types =>
    [
        new("bindings.cron", static spec => new Cron.CronBinding(spec)),
        new("bindings.http", static spec => new Http.HttpBinding(spec)),
        new("bindings.localstorage", static spec => new LocalStorage.LocalStorageBinding(spec)),
        new("bindings.smtp", static spec => new Smtp.SmtpBinding(spec, spec.Time)),
        new("bindings.redis", static spec => new Redis.RedisBinding(spec), "embedded key-value store"),
    ];
}
