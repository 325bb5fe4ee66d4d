namespace DaprPlatform.Sidecar.Http;

/// <summary>Group and version of each method of Dapr's service, as Configuration's <c>spec.api</c> names them.</summary>
internal static class GrpcEndpoints
{
    private static readonly Dictionary<string, string> Groups = new(StringComparer.Ordinal)
    {
        ["InvokeService"] = "invoke",
        ["GetState"] = "state", ["GetBulkState"] = "state", ["SaveState"] = "state", ["QueryState"] = "state", ["DeleteState"] = "state", ["DeleteBulkState"] = "state", ["ExecuteStateTransaction"] = "state",
        ["PublishEvent"] = "publish", ["BulkPublishEvent"] = "publish", ["SubscribeTopicEvents"] = "subscribe",
        ["InvokeBinding"] = "bindings", ["GetSecret"] = "secrets", ["GetBulkSecret"] = "secrets",
        ["RegisterActorTimer"] = "actors", ["UnregisterActorTimer"] = "actors", ["RegisterActorReminder"] = "actors", ["UnregisterActorReminder"] = "actors", ["UnregisterActorRemindersByType"] = "actors",
        ["ListActorReminders"] = "actors", ["GetActorReminder"] = "actors", ["GetActorState"] = "actors", ["ExecuteActorStateTransaction"] = "actors", ["InvokeActor"] = "actors", ["SubscribeActorEvents"] = "actors",
        ["GetConfiguration"] = "configuration", ["SubscribeConfiguration"] = "configuration", ["UnsubscribeConfiguration"] = "configuration",
        ["TryLock"] = "lock", ["Unlock"] = "unlock", ["Encrypt"] = "crypto", ["Decrypt"] = "crypto",
        ["GetMetadata"] = "metadata", ["SetMetadata"] = "metadata", ["Shutdown"] = "shutdown",
        ["ScheduleJob"] = "jobs", ["GetJob"] = "jobs", ["DeleteJob"] = "jobs", ["DeleteJobsByPrefix"] = "jobs", ["ListJobs"] = "jobs", ["Converse"] = "conversation",
    };

    /// <param name="method">Without service.</param>
    public static (string Group, string Version) Of(ReadOnlySpan<char> method)
    {
        var version = "v1";
        foreach (var (suffix, name) in (ReadOnlySpan<(string, string)>)[("Alpha1", "v1alpha1"), ("Alpha2", "v1alpha2"), ("Beta1", "v1beta1")])
        {
            if (!method.EndsWith(suffix, StringComparison.Ordinal))
                continue;
            version = name;
            method = method[..^suffix.Length];
            break;
        }

        if (method.StartsWith("Subtle", StringComparison.Ordinal))
            return ("subtlecrypto", version);
        if (method.EndsWith("Workflow", StringComparison.Ordinal))
            return ("workflows", version);
        return (Groups.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(method, out var group) ? group : "", version);
    }
}
