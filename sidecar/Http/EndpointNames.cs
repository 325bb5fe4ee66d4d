namespace DaprPlatform.Sidecar.Http;

/// <summary>Names of the HTTP endpoints for logs that must not show keys and ids (<c>obfuscateURLs</c>); they are those of the gRPC methods.</summary>
internal static class EndpointNames
{
    private static readonly Dictionary<string, string> Names = new(StringComparer.Ordinal)
    {
        ["GET healthz"] = "Healthz", ["GET healthz/outbound"] = "Healthz/Outbound", ["GET metadata"] = "GetMetadata", ["PUT metadata/*"] = "SetMetadata", ["POST shutdown"] = "Shutdown",
        ["GET state/*/*"] = "GetState", ["POST state/*"] = "SaveState", ["DELETE state/*/*"] = "DeleteState", ["POST state/*/bulk"] = "GetBulkState",
        ["POST state/*/transaction"] = "ExecuteStateTransaction", ["POST state/*/query"] = "QueryStateAlpha1",
        ["POST publish/*/*"] = "PublishEvent", ["POST publish/bulk/*/*"] = "BulkPublishEvent",
        ["GET secrets/*/*"] = "GetSecret", ["GET secrets/*/bulk"] = "GetBulkSecret", ["POST bindings/*"] = "InvokeBinding",
        ["GET configuration/*"] = "GetConfiguration", ["GET configuration/*/subscribe"] = "SubscribeConfiguration", ["GET configuration/*/*/unsubscribe"] = "UnsubscribeConfiguration",
        ["POST lock/*"] = "TryLockAlpha1", ["POST unlock/*"] = "UnlockAlpha1",
        ["GET actors/*/*/method/*"] = "InvokeActor", ["POST actors/*/*/method/*"] = "InvokeActor", ["DELETE actors/*/*/method/*"] = "InvokeActor",
        ["POST actors/*/*/state"] = "ExecuteActorStateTransaction", ["GET actors/*/*/state/*"] = "GetActorState",
        ["POST actors/*/*/reminders/*"] = "RegisterActorReminder", ["GET actors/*/*/reminders/*"] = "GetActorReminder", ["DELETE actors/*/*/reminders/*"] = "UnregisterActorReminder",
        ["POST actors/*/*/timers/*"] = "RegisterActorTimer", ["DELETE actors/*/*/timers/*"] = "UnregisterActorTimer",
        ["POST workflows/*/*/start"] = "StartWorkflow", ["GET workflows/*/*"] = "GetWorkflow", ["POST workflows/*/*/terminate"] = "TerminateWorkflow", ["POST workflows/*/*/raiseEvent/*"] = "RaiseEventWorkflow",
        ["POST workflows/*/*/pause"] = "PauseWorkflow", ["POST workflows/*/*/resume"] = "ResumeWorkflow", ["POST workflows/*/*/purge"] = "PurgeWorkflow",
        ["POST jobs/*"] = "ScheduleJob", ["GET jobs/*"] = "GetJob", ["DELETE jobs/*"] = "DeleteJob",
        ["PUT crypto/*/encrypt"] = "EncryptAlpha1", ["PUT crypto/*/decrypt"] = "DecryptAlpha1", ["POST conversation/*/converse"] = "Converse",
    };

    public static string Of(string method, ApiCall call)
    {
        if (call.Route is not { } route)
            return call.InvokedApp is { } app ? $"InvokeService/{app}" : "InvokeService";
        var segments = route.Pattern.Split('/', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(s => s[0] == '{' ? "*" : s);
        var pattern = string.Join('/', segments);
        return Names.GetValueOrDefault($"{method} {pattern}") ?? (method == "PUT" ? Names.GetValueOrDefault($"POST {pattern}") : null) ?? route.Group;
    }
}
