using System.CommandLine;
using System.Text.Json;
using DaprPlatform.Cli.Control;
using DaprPlatform.Cli.Settings;
using DaprPlatform.Sidecar.Introspection;

namespace DaprPlatform.Cli.Commands;

/// <summary>Values that services follow while they run; <c>components/configstore.yaml</c> names the keys.</summary>
internal static class ConfigCommand
{
    public static Command Create() => new("config", "Shows and changes the settings that a running stack follows live.") { List(), Get(), Set() };

    private static Command List()
    {
        var json = StackOptions.Json();
        var command = new Command("list", "Every key that is set, with its value.") { json };
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var values = await AllAsync(stack, parsed, cancel);
            if (parsed.GetValue(json))
                Console.Out.WriteLine(JsonSerializer.Serialize(values, ControlJson.Options));
            else
                foreach (var (key, value) in values)
                    Console.Out.WriteLine($"{key} = {value}");
            return 0;
        });
        return command;
    }

    private static Command Get()
    {
        var key = new Argument<string>("key");
        var command = new Command("get", "The value of a key; fails when it is not set.") { key };
        var stack = StackOptions.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            if (!(await AllAsync(stack, parsed, cancel)).TryGetValue(parsed.GetRequiredValue(key), out var value))
                throw new CommandException($"{parsed.GetValue(key)} is not set.");
            Console.Out.WriteLine(value);
            return 0;
        });
        return command;
    }

    private static Command Set()
    {
        var key = new Argument<string>("key");
        var value = new Argument<string>("value");
        var command = new Command("set", "Sets a key; services that follow it see it at once.") { key, value };
        var stack = StackOptions.AddTo(command);
        value.Validators.Add(result =>
        {
            if (result.GetValue(value) is not { Length: > 0 } text || text.Contains("||", StringComparison.Ordinal))
                result.AddError("A value is not empty and has no || in it.");
        });
        command.SetAction(async (parsed, cancel) =>
        {
            using var client = new ControlClient(stack.Data(parsed, Repository.Find()).Socket);
            await client.SendAsync<JsonElement>(HttpMethod.Put, $"api/v1/dapr/configuration/{PlatformSettings.Store}/{Uri.EscapeDataString(parsed.GetRequiredValue(key))}", new { value = parsed.GetRequiredValue(value) }, cancel);
            return 0;
        });
        return command;
    }

    private static async Task<IReadOnlyDictionary<string, string>> AllAsync(StackOptions stack, ParseResult parsed, CancellationToken cancel)
    {
        using var client = new ControlClient(stack.Data(parsed, Repository.Find()).Socket);
        var items = await client.GetAsync<List<SettingView>>("api/v1/dapr/configuration", cancel);
        return new SortedDictionary<string, string>(items.Where(i => i.Store == PlatformSettings.Store).ToDictionary(i => i.Key, i => i.Value), StringComparer.Ordinal);
    }
}
