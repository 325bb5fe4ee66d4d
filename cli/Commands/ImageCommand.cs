using System.CommandLine;
using System.Text.Json;
using DaprPlatform.Cli.Building.Images;
using DaprPlatform.Cli.Control;

namespace DaprPlatform.Cli.Commands;

internal static class ImageCommand
{
    private const string NoBase = "none";

    public static Command Create()
    {
        var services = new Argument<string[]>("services") { Arity = ArgumentArity.ZeroOrMore, Description = "App ids; none is every service." };
        var output = new Option<string?>("--output", "-o") { Description = "The folder for the tar files; artifacts/images by default." };
        var from = new Option<string>("--base")
        {
            DefaultValueFactory = _ => "mcr.microsoft.com/dotnet/aspnet:10.0",
            Description = $"The image that services in C# are put onto, used by its digest. {NoBase}, or one that cannot be reached: the libraries and the .NET of this machine.",
        };
        var json = StackOptions.Json();
        var build = new Command("build", "Makes OCI images as tar files for docker load, podman load, ctr or skopeo; no Docker is needed.") { services, output, from, json };
        build.SetAction(async (parsed, cancel) =>
        {
            var repository = Repository.Find();
            var folder = Path.GetFullPath(parsed.GetValue(output) ?? Path.Combine(repository.Artifacts, "images"));
            var chosen = parsed.GetRequiredValue(from);
            var made = await new ImageBuild(repository, new StackPrinter(ConsoleSetup.Error()).Progress)
                .MakeAsync(parsed.GetValue(services) ?? [], folder, chosen == NoBase ? null : chosen, cancel);
            if (parsed.GetValue(json))
                await Console.Out.WriteLineAsync(JsonSerializer.Serialize(made, ControlJson.Options));
            else
                foreach (var image in made)
                    await Console.Out.WriteLineAsync($"{image.File} {image.Digest}");
            return 0;
        });
        return new Command("image", "Images of the services.") { build };
    }
}
